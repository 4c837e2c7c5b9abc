variable "environment" {
  description = "Name of the environment, part of every resource's name."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,14}$", var.environment))
    error_message = "The environment must be 2 to 15 lower-case letters, digits and dashes."
  }
}
variable "service" {
  description = "Name of the service, part of every resource's name."
  type        = string
}
variable "repository_name" {
  description = "Name of the ECR repository (stack registry); empty: the service's name."
  type        = string
  default     = ""
}
variable "control_plane_role_arns" {
  description = "Roles of the control plane that may deploy here; empty: no deploy role is made."
  type        = list(string)
  default     = []
}
variable "signing_key_alias" {
  description = "Name of the KMS key that signs images (stack bootstrap); the deploy role may use it."
  type        = string
  default     = "alias/delivery-signing"
}
variable "bucket" {
  description = "The installation's bucket (stack bootstrap); the deploy role reads and writes its ledger."
  type        = string
  default     = null
}
variable "health_check" {
  description = "How the load balancer decides that a target is healthy; seconds and counts."
  type = object({
    interval            = optional(number, 30)
    timeout             = optional(number, 3)
    healthy_threshold   = optional(number, 3)
    unhealthy_threshold = optional(number, 2)
  })
  default = {}
}
variable "health_check_grace_period" {
  description = "Seconds ECS ignores failing target health after a task's start."
  type        = number
  default     = 60
}
variable "deregistration_delay" {
  description = "Seconds a leaving target may finish its requests."
  type        = number
  default     = 30
}
variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL."
  type        = number
  default     = 30
}
variable "alarm_period" {
  description = "Seconds of one alarm period. CloudWatch allows 10, 30 and multiples of 60."
  type        = number
  default     = 60
}
variable "vpc_cidr" {
  type    = string
  default = "10.0.0.0/16"
}
variable "az_count" {
  type    = number
  default = 2
}
variable "nat_gateway_count" {
  type    = number
  default = 1
}
variable "certificate_arn" {
  description = "Certificate of the HTTPS listener; null: plain HTTP. It must be valid for record_name."
  type        = string
  default     = null
  validation {
    condition     = var.certificate_arn == null || var.record_name != null
    error_message = "A certificate needs record_name, the name under which preview requests are sent."
  }
}
variable "zone_name" {
  type    = string
  default = null
}
variable "record_name" {
  description = "Public name of the service; the record is written by the deployer."
  type        = string
  default     = null
}
variable "container_port" {
  type    = number
  default = 8080
}
variable "health_check_path" {
  type    = string
  default = "/health"
}
variable "cpu" {
  type    = number
  default = 256
}
variable "memory" {
  type    = number
  default = 512
}
variable "min_capacity" {
  type    = number
  default = 1
}
variable "max_capacity" {
  type    = number
  default = 4
}
variable "deletion_protection" {
  type    = bool
  default = true
}
variable "notify_emails" {
  type    = list(string)
  default = []
}
