"""AWS through boto3: one module per port. The names of AWS's things stay in here."""
