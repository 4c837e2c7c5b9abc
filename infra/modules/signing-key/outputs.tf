output "alias" { value = aws_kms_alias.signing.name }
output "arn" { value = aws_kms_key.signing.arn }
