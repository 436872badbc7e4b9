# Who may act here from GitHub, without any key: a workflow shows a token of GitHub's that says which
# repository and which environment it runs for.
# https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments/about-security-hardening-with-openid-connect

data "aws_partition" "current" {}

locals {
  partition = data.aws_partition.current.partition
  issuer    = "token.actions.githubusercontent.com"

  # The subjects, to the letter: a pull request's job may read, an environment's job may write. Newer repositories
  # have their numbers in it, which nobody else can ever get:
  # https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens/
  subjects = {
    plan   = ["repo:${var.repository}:pull_request"]
    deploy = [for name in var.deploying : "repo:${var.repository}:environment:${name}"]
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  for_each = local.subjects

  name                 = "ashore-github-${each.key}"
  description          = "What a workflow on GitHub may do to ${each.key}"
  max_session_duration = 3600

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = each.value
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "plan" {
  # checkov:skip=CKV_AWS_355:what describes by filters takes no narrower resource; policies.tf says which actions
  name   = "read"
  role   = aws_iam_role.github["plan"].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.reading })
}

resource "aws_iam_role_policy" "deploy_reading" {
  # checkov:skip=CKV_AWS_355:what describes by filters takes no narrower resource; policies.tf says which actions
  name   = "read"
  role   = aws_iam_role.github["deploy"].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.reading })
}

resource "aws_iam_role_policy" "deploy_writing" {
  name   = "write"
  role   = aws_iam_role.github["deploy"].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.writing })
}
