variable "service" {
  description = "Name of the service whose images are kept."
  type        = string
}
variable "repository_name" {
  description = "Name of the repository; empty: the service's name."
  type        = string
  default     = ""
}
variable "force_delete" {
  description = "Let destroy delete the images too."
  type        = bool
  default     = false
}
