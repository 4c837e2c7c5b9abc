vpc_cidr    = "10.1.0.0/16"
zone_name   = "example.test"
record_name = "www.example.test"

min_capacity = 2
max_capacity = 4

# Short waits suit the sandbox and small services; the defaults are AWS's usual ones.
alarm_period         = 10
deregistration_delay = 10
stop_timeout         = 10

health_check = {
  interval            = 5
  timeout             = 2
  healthy_threshold   = 2
  unhealthy_threshold = 2
}
health_check_grace_period = 10

deletion_protection = false
