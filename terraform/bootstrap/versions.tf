terraform {
  required_version = ">= 1.11, < 2.0"

  # The bucket that is made here keeps the state of this too: scripts/bootstrap.py makes it first.
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
    tags = { project = "ashore", made_by = "terraform/bootstrap" }
  }
}
