# A zone outlives every service and environment in it, so it has a state of its own.
module "dns" {
  source    = "../../modules/dns"
  zone_name = var.zone_name
}
