# Signs what was built and is asked before it is deployed. The private half never leaves KMS; an asymmetric
# key cannot be rotated by KMS itself, so a new one is a new key behind the same alias.
resource "aws_kms_key" "signing" {
  description              = "Signs the provenance of images (delivery)"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = var.deletion_window_in_days
}

resource "aws_kms_alias" "signing" {
  name          = var.alias
  target_key_id = aws_kms_key.signing.key_id
}
