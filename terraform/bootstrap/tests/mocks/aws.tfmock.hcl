# What AWS would answer: made up, but of the right form, as the provider looks at ARNs.

mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::terraform-state-ashore-123456789012" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/ashore-github-role" }
}
mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/ashore-boundary" }
}
mock_resource "aws_iam_openid_connect_provider" {
  defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}
mock_resource "aws_ecr_repository" {
  defaults = { arn = "arn:aws:ecr:eu-west-1:123456789012:repository/ashore" }
}
mock_data "aws_partition" {
  defaults = { partition = "aws" }
}
