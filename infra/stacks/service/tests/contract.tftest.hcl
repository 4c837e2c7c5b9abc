mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  service     = "web"
  environment = "staging"
}

run "alarms_match_the_rollback_contract" {
  command = plan
  assert {
    condition     = length(module.observability.alarm_names["blue"]) == 3
    error_message = "Every slot needs its three rollback alarms."
  }
  assert {
    condition     = module.service.deploy_contract.min_capacity == 1 && module.service.deploy_contract.max_capacity == 4
    error_message = "The service scales from 1 to 4."
  }
  assert {
    condition     = alltrue([for slot in ["blue", "green"] : module.service.slots_desired[slot] == 0])
    error_message = "Nothing runs before the first release."
  }
}

run "rejects_a_certificate_without_a_name" {
  command = plan
  variables {
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/x"
  }
  expect_failures = [var.certificate_arn]
}

run "rejects_a_name_aws_would_refuse" {
  command = plan
  variables {
    environment = "Not Valid"
  }
  expect_failures = [var.environment]
}
