variable "name" { type = string }
variable "trusted_role_arns" {
  description = "Roles that may assume this one: the control plane's."
  type        = list(string)
}
variable "repository_arn" { type = string }
variable "cluster_arn" { type = string }
variable "task_family" { type = string }
variable "service_ids" { type = list(string) }
variable "listener_rule_arns" { type = list(string) }
variable "passable_role_arns" { type = list(string) }
variable "topic_arn" { type = string }
variable "topic_key_arn" { type = string }
variable "hosted_zone_id" {
  type    = string
  default = null
}
variable "record_name" {
  type    = string
  default = null
}
variable "signing_key_alias" {
  description = "Name of the KMS key that signs images (stack bootstrap)."
  type        = string
  default     = "alias/delivery-signing"
}
variable "bucket" {
  description = "The installation's bucket: ledger and artifacts (stack bootstrap); null: no access to it."
  type        = string
  default     = null
}
