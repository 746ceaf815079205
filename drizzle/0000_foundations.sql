CREATE TABLE "apps" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"max_artifacts" integer,
	"max_total_bytes" bigint,
	"retain_latest" integer,
	"retain_max_age_secs" bigint,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "apps_name_unique" UNIQUE("name"),
	CONSTRAINT "apps_name" CHECK ("apps"."name" ~ '^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$'),
	CONSTRAINT "apps_limits" CHECK (coalesce("apps"."max_artifacts", 0) >= 0 and coalesce("apps"."max_total_bytes", 0) >= 0 and coalesce("apps"."retain_latest", 0) >= 0 and coalesce("apps"."retain_max_age_secs", 0) >= 0)
);
--> statement-breakpoint
CREATE TABLE "artifacts" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"app_id" uuid NOT NULL,
	"digest" text NOT NULL,
	"size_bytes" bigint,
	"status" text DEFAULT 'pending' NOT NULL,
	"storage_key" text NOT NULL,
	"upload_id" text,
	"verified" boolean DEFAULT false NOT NULL,
	"presigned_at" timestamp (3) with time zone,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp (3) with time zone,
	"expires_at" timestamp (3) with time zone,
	CONSTRAINT "artifacts_app_id_digest" UNIQUE("app_id","digest"),
	CONSTRAINT "artifacts_id_app_id_digest" UNIQUE("id","app_id","digest"),
	CONSTRAINT "artifacts_digest" CHECK ("artifacts"."digest" ~ '^[0-9a-f]{64}$'),
	CONSTRAINT "artifacts_status" CHECK ("artifacts"."status" in ('pending', 'verifying', 'stored', 'expired')),
	CONSTRAINT "artifacts_completed" CHECK ("artifacts"."status" <> 'stored' or "artifacts"."completed_at" is not null),
	CONSTRAINT "artifacts_size" CHECK ("artifacts"."size_bytes" >= 0)
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "audit_events_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"actor" text NOT NULL,
	"action" text NOT NULL,
	"subject_type" text NOT NULL,
	"subject_id" text NOT NULL,
	"app_id" uuid,
	"before" text,
	"after" text,
	"request_id" text,
	"detail" jsonb
);
--> statement-breakpoint
CREATE TABLE "deployments" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"app_id" uuid NOT NULL,
	"artifact_id" uuid NOT NULL,
	"digest" text NOT NULL,
	"version" integer NOT NULL,
	"status" text DEFAULT 'pending' NOT NULL,
	"config" jsonb,
	"replicas" integer DEFAULT 1 NOT NULL,
	"process" text DEFAULT 'web' NOT NULL,
	"environment" text DEFAULT 'production' NOT NULL,
	"dev_hot" boolean DEFAULT false NOT NULL,
	"failure_reason" text,
	"failure_message" text,
	"failure_log" jsonb,
	"created_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"last_transition_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "deployments_version" UNIQUE("app_id","environment","process","version"),
	CONSTRAINT "deployments_status" CHECK ("deployments"."status" in ('pending', 'running', 'failed', 'superseded', 'stopped')),
	CONSTRAINT "deployments_reason" CHECK ("deployments"."failure_reason" in ('artifact_not_found', 'digest_mismatch', 'signature_invalid', 'unpack_failed', 'disk_full', 'image_pull', 'crash_loop', 'exited', 'oom_killed', 'not_listening', 'probe_failed', 'unschedulable', 'quota_exceeded', 'admission_denied', 'progress_deadline', 'server_unreachable')),
	CONSTRAINT "deployments_failed" CHECK ("deployments"."status" <> 'failed' or "deployments"."failure_reason" is not null),
	CONSTRAINT "deployments_version_positive" CHECK ("deployments"."version" >= 1),
	CONSTRAINT "deployments_replicas" CHECK ("deployments"."replicas" >= 0)
);
--> statement-breakpoint
ALTER TABLE "artifacts" ADD CONSTRAINT "artifacts_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_app_id_apps_id_fk" FOREIGN KEY ("app_id") REFERENCES "public"."apps"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_artifact" FOREIGN KEY ("artifact_id","app_id","digest") REFERENCES "public"."artifacts"("id","app_id","digest") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "artifacts_newest" ON "artifacts" USING btree ("app_id","created_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "artifacts_by_digest" ON "artifacts" USING btree ("digest");--> statement-breakpoint
CREATE INDEX "artifacts_due" ON "artifacts" USING btree ("status","expires_at");--> statement-breakpoint
CREATE INDEX "audit_events_app" ON "audit_events" USING btree ("app_id","id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "audit_events_subject" ON "audit_events" USING btree ("subject_type","subject_id","id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "deployments_newest" ON "deployments" USING btree ("app_id","created_at" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "deployments_by_artifact" ON "deployments" USING btree ("artifact_id");--> statement-breakpoint
CREATE INDEX "deployments_due" ON "deployments" USING btree ("status","last_transition_at");