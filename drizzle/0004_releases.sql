CREATE TABLE "app_variables" (
	"app_id" uuid NOT NULL,
	"name" text NOT NULL,
	"value_sealed" text NOT NULL,
	"updated_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"updated_by" text NOT NULL,
	CONSTRAINT "app_variables_app_id_name_pk" PRIMARY KEY("app_id","name")
);
--> statement-breakpoint
ALTER TABLE "apps" ADD COLUMN "replicas" integer;--> statement-breakpoint
ALTER TABLE "apps" ADD COLUMN "locked_reason" text;--> statement-breakpoint
ALTER TABLE "apps" ADD COLUMN "locked_by" text;--> statement-breakpoint
ALTER TABLE "apps" ADD COLUMN "locked_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "origin" text DEFAULT 'deploy' NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "origin_version" integer;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "env_sealed" text;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "pins" jsonb;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "rollback_on_failure" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "created_by" text;--> statement-breakpoint
ALTER TABLE "deployments" ADD COLUMN "running_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "app_variables" ADD CONSTRAINT "app_variables_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "apps" ADD CONSTRAINT "apps_replicas" CHECK ("apps"."replicas" >= 0);--> statement-breakpoint
-- What older servers wrote down in the audit only.
UPDATE "deployments" SET
	"created_by" = (SELECT "actor" FROM "audit_events" WHERE "subject_type" = 'deployment' AND "subject_id" = "deployments"."id"::text AND "action" = 'deployment.pending' ORDER BY "audit_events"."id" LIMIT 1),
	"running_at" = (SELECT "at" FROM "audit_events" WHERE "subject_type" = 'deployment' AND "subject_id" = "deployments"."id"::text AND "action" = 'deployment.running' ORDER BY "audit_events"."id" LIMIT 1);
