variable "alias" {
  description = "The key's name; the deployer's setting DELIVERY_SIGNING_KEY."
  type        = string
  default     = "alias/delivery-signing"
  validation {
    condition     = startswith(var.alias, "alias/") && !startswith(var.alias, "alias/aws/")
    error_message = "The alias begins with alias/ and is not one of AWS's own (alias/aws/)."
  }
}
variable "deletion_window_in_days" {
  description = "Days between the key's deletion and its end; signatures cannot be checked any more after it."
  type        = number
  default     = 30
}
