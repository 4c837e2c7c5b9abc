variable "name" {
  type = string
  validation {
    condition     = length(var.name) <= 26
    error_message = "Load balancer and target group names are limited to 32 characters, and the slot is appended."
  }
}
variable "region" { type = string }
variable "cluster_arn" { type = string }
variable "cluster_name" { type = string }
variable "vpc_id" { type = string }
variable "public_subnet_ids" { type = list(string) }
variable "private_subnet_ids" { type = list(string) }
variable "lb_security_group_id" { type = string }
variable "tasks_security_group_id" { type = string }
variable "certificate_arn" {
  type    = string
  default = null
}
variable "zone_name" {
  type    = string
  default = null
}
variable "record_name" {
  type    = string
  default = null
}
variable "container_name" {
  type    = string
  default = "app"
}
variable "container_port" {
  type    = number
  default = 8080
}
variable "health_check_path" {
  type    = string
  default = "/health"
}
variable "bootstrap_image" {
  type    = string
  default = "public.ecr.aws/docker/library/busybox:stable"
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
variable "cpu_target" {
  type    = number
  default = 70
}
variable "log_retention_days" {
  type    = number
  default = 30
}
variable "deletion_protection" {
  type    = bool
  default = true
}

variable "deregistration_delay" {
  description = "Seconds a leaving target may finish its requests."
  type        = number
  default     = 30
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
variable "stop_timeout" {
  description = "Seconds between SIGTERM and SIGKILL."
  type        = number
  default     = 30
}
