bucket = "delivery-state-123456789012"
region = "us-east-1"
