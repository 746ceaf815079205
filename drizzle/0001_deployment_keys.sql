ALTER TABLE "deployments" ADD COLUMN "idempotency_key" text;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_idempotency_key" UNIQUE("app_id","idempotency_key");