vpc_cidr    = "10.0.0.0/16"
zone_name   = "example.test"
record_name = "staging.example.test"

min_capacity = 2
max_capacity = 4

# Short waits, for the sandbox. On AWS leave these out: load balancer metrics come once a minute there, and the
# defaults (alarm_period 60, AWS's usual waits) fit.
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
