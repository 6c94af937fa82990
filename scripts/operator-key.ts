/** `npm run --silent operator-key < secret`: the operator's API key of an installation on AWS, which is made of a secret of its data stack. */
import { text } from "node:stream/consumers";
import { operatorApiKey } from "../shared/auth/api-key.ts";

process.stdout.write(`${operatorApiKey((await text(process.stdin)).trim()).token}\n`);
