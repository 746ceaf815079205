import { and, eq, isNotNull, sql } from "drizzle-orm";
import { apps } from "../db/schema.ts";
import type { App } from "./apps.ts";
import { storeCallMs } from "./artifact-lease.ts";
import type { Control } from "./control.ts";

/** What `deleting_at` is while no server is at the removal. */
export const freeRemoval = new Date(0);

/** What it is for the server that is at it, by the database's clock; its value is the proof. */
export const removalClaim = sql`clock_timestamp()`;

/** Takes a removal that was begun; undefined while another server is at it, and when it has ended. */
export async function claimRemoval({ db }: Control, id: string): Promise<App | undefined> {
  const isFree = sql`${apps.deletingAt} < clock_timestamp() - ${storeCallMs} * interval '1 millisecond'`;
  const [claimed] = await db
    .update(apps)
    .set({ deletingAt: removalClaim })
    .where(and(eq(apps.id, id), isNotNull(apps.deletingAt), isFree))
    .returning();
  return claimed;
}

/** Thrown out of a removal that another server has taken over. */
export class RemovalLost extends Error {}

/** Holds a removal from call to call. */
export interface HeldRemoval {
  app(): App;
  /** Before each call to the store: no other server begins the removal while it lasts. */
  renew(): Promise<void>;
  /** Lets others go on at once. */
  release(): Promise<void>;
}

/** Keeps the proof of a claim. */
export function holdRemoval({ db }: Control, claimed: App): HeldRemoval {
  let held = claimed;
  const move = async (deletingAt: Date | typeof removalClaim) => {
    const [moved] = await db.update(apps).set({ deletingAt }).where(isHeldRemoval(held)).returning();
    return moved;
  };
  return {
    app: () => held,
    async renew() {
      const moved = await move(removalClaim);
      if (moved === undefined) throw new RemovalLost();
      held = moved;
    },
    release: async () => void (await move(freeRemoval)),
  };
}

/** The app is still being removed by the server that has this proof. */
export const isHeldRemoval = ({ id, deletingAt }: App) =>
  and(eq(apps.id, id), eq(apps.deletingAt, deletingAt ?? freeRemoval));
