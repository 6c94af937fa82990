import { z } from "zod";
import { dayMs, hourMs } from "../../../metering/periods.ts";
import { keptHourDays } from "../../../metering/usage-days.ts";
import { readUsage } from "../../../metering/usage-reader.ts";
import { timestamp } from "../../fields.ts";
import { PlatformError } from "../../problem.ts";
import { usageResource } from "../../resources.ts";
import { showUsage } from "../../show.ts";
import { defineRoute, nothing, pageOf, pageQuery, type Route } from "../route.ts";
import type { PlatformServices } from "../services.ts";

const longestDays = { hour: keptHourDays, day: 400 } as const;

const usageQuery = pageQuery.extend({
  from: timestamp.exactOptional().meta({ description: "Periods that begin then or later; the last day or the last 30 when absent." }),
  to: timestamp.exactOptional().meta({ description: "Periods that begin before; now when absent." }),
  granularity: z
    .enum(["hour", "day"])
    .default("day")
    .meta({ description: `Hours are kept for ${keptHourDays} days.` }),
  groupBy: z.enum(["tenant", "cluster", "pool"]).default("tenant"),
});

export function usageRoutes({ storeOf, cursors, clock }: PlatformServices): Route[] {
  return [
    defineRoute({
      ...nothing,
      method: "get",
      path: "/v1/usage",
      operationId: "listUsage",
      summary: "Shows what was used, by hours or days in UTC; the newest minutes may be missing, periods without usage are left out",
      scope: "usage:read",
      query: usageQuery,
      status: 200,
      response: pageOf(usageResource),
      async handle({ caller: { tenant }, query }) {
        const { granularity, groupBy, limit, cursor } = query;
        const toMs = query.to === undefined ? clock.now() : Date.parse(query.to);
        const aPeriod = granularity === "hour" ? hourMs : dayMs;
        const usual = granularity === "hour" ? dayMs : 30 * dayMs;
        const fromMs = query.from === undefined ? Math.floor((toMs - usual) / aPeriod) * aPeriod : Date.parse(query.from);
        refuseRange(fromMs, toMs, longestDays[granularity]);
        const list = `usage ${tenant} ${granularity} ${groupBy}`;
        const from = cursor === undefined ? undefined : cursors.open(list, cursor);
        const { items, next } = await readUsage(storeOf(tenant), tenant, { fromMs, toMs, granularity, groupBy, limit, from });
        const body = {
          items: items.map((item) => showUsage(item, granularity)),
          nextCursor: next === undefined ? null : cursors.seal(list, next),
        };
        return { body };
      },
    }),
  ];
}

function refuseRange(fromMs: number, toMs: number, days: number): void {
  const detail =
    fromMs > toMs
      ? "must not lie after `to`"
      : toMs - fromMs > (days + 1) * dayMs
        ? `must lie at most ${days} days before \`to\``
        : undefined;
  if (detail !== undefined) throw new PlatformError("invalid", `from: ${detail}`, { errors: [{ parameter: "from", detail }] });
}
