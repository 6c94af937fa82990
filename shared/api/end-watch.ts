import { isStatus } from "../kubernetes/status-error.ts";
import { parseRequest } from "./request-info.ts";

/** A watch that ends itself, with a bookmark, after so long at the latest: as if the client had asked for that. Other requests, and those that nobody can read, stay as they are. */
export function endWatchBy(url: string, seconds: number): string {
  if (!isWatch(url)) return url;
  const [path = "", query = ""] = url.split("?");
  const parameters = new URLSearchParams(query);
  const asked = Number(parameters.get("timeoutSeconds") ?? 0);
  if (Number.isNaN(asked) || (asked > 0 && asked <= seconds)) return url;
  parameters.set("timeoutSeconds", String(Math.max(1, Math.floor(seconds))));
  return `${path}?${parameters}`;
}

function isWatch(url: string): boolean {
  try {
    const below = url.replace(/^\/clusters\/[^/]+/, "");
    return url.includes("watch") && parseRequest("GET", below).resource?.verb === "watch";
  } catch (error) {
    // Whoever serves it says what is wrong with it.
    if (isStatus(error)) return false;
    throw error;
  }
}
