terraform {
  required_version = ">= 1.11, < 2.0"

  # Bucket, key and region come from scripts/infra.py, out of terraform.tfvars.json.
  backend "s3" {}

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 6.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { project = "ashore", environment = "dev", made_by = "terraform/environments/dev" }
  }
}

module "environment" {
  source = "../../modules/environment"

  name                     = "ashore-dev"
  bucket_name              = var.bucket_name
  image_repository_url     = var.image_repository_url
  permissions_boundary_arn = var.permissions_boundary_arn
  alarm_emails             = var.alarm_emails
  sources                  = var.sources
  source_keys              = var.source_keys
  log_retention_days       = 30
  deletable                = true
}
