# Where Terraform keeps what it knows of this account. It locks by itself (use_lockfile), without a table.

locals {
  state_bucket = "terraform-state-ashore-${var.account_id}"
}

# scripts/bootstrap.py makes the bucket, since this very state needs it; from then on it is kept here.
import {
  to = aws_s3_bucket.state
  id = local.state_bucket
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV_AWS_18:CloudTrail tells who did what; access logs would need one more bucket
  # checkov:skip=CKV_AWS_144:what it describes lies in this region too
  # checkov:skip=CKV_AWS_145:encrypted with S3's own keys; the state holds no secret
  # checkov:skip=CKV2_AWS_61:old versions of the state are small, and what one may have to go back to
  # checkov:skip=CKV2_AWS_62:nothing waits for a change of the state
  bucket = local.state_bucket

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
