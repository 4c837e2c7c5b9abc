variable "name" { type = string }
variable "region" { type = string }
variable "cluster_name" { type = string }
variable "service_names" { type = map(string) }
variable "load_balancer_suffix" { type = string }
variable "target_group_suffixes" { type = map(string) }
variable "notify_emails" {
  type    = list(string)
  default = []
}

variable "alarm_period" {
  description = "Seconds of one alarm period. CloudWatch allows 10, 30 and multiples of 60."
  type        = number
  default     = 60
}
