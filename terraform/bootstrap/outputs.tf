output "state_bucket" {
  description = "Where Terraform keeps the state of this account's environments."
  value       = aws_s3_bucket.state.id
}

output "image_repository_url" {
  description = "Where images are pushed to and pulled from: for terraform.tfvars.json of each environment."
  value       = aws_ecr_repository.ashore.repository_url
}

output "permissions_boundary_arn" {
  description = "What no role of an environment may exceed: for terraform.tfvars.json of each environment."
  value       = aws_iam_policy.boundary.arn
}

output "github_roles" {
  description = "The roles that workflows assume: plan for pull requests, deploy for environments."
  value       = { for purpose, role in aws_iam_role.github : purpose => role.arn }
}
