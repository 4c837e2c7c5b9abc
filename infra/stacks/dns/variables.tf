variable "zone_name" {
  description = "The public hosted zone to create."
  type        = string
}
