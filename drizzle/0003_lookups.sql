-- In the order in which a server that runs meanwhile takes these tables, so that neither waits for the other.
ALTER TABLE "artifacts" ADD COLUMN "ran_version" integer;--> statement-breakpoint
UPDATE "artifacts" SET "ran_version" = "ran"."version" FROM (
	SELECT "artifact_id", max("version") AS "version" FROM "deployments"
	WHERE EXISTS (SELECT FROM "audit_events" WHERE "subject_type" = 'deployment' AND "subject_id" = "deployments"."id"::text AND "after" = 'running')
	GROUP BY "artifact_id"
) AS "ran" WHERE "artifacts"."id" = "ran"."artifact_id";--> statement-breakpoint
CREATE INDEX "artifacts_ran" ON "artifacts" USING btree ("app_id","ran_version") WHERE "artifacts"."ran_version" is not null;--> statement-breakpoint
DROP INDEX "audit_events_subject";--> statement-breakpoint
UPDATE "audit_events" SET "detail" = jsonb_build_object('app', "apps"."name") || coalesce("detail", '{}') FROM "apps"
	WHERE "apps"."id" = "audit_events"."app_id" AND "detail" ->> 'app' IS NULL;--> statement-breakpoint
CREATE INDEX "audit_events_of_subject" ON "audit_events" USING btree ("subject_id","id" DESC NULLS FIRST);--> statement-breakpoint
CREATE INDEX "audit_events_app_name" ON "audit_events" USING btree (("detail" ->> 'app'),"id" DESC NULLS FIRST);--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "failing_since" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "webhooks" ADD COLUMN "disabled_reason" text;--> statement-breakpoint
CREATE INDEX "webhooks_app" ON "webhooks" USING btree ("app_id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries" USING btree ("webhook_id","created_at") WHERE "webhook_deliveries"."status" = 'pending';
