// Plays the cases with a client that has no model: fetch, axios or undici.

import { randomUUID } from "node:crypto";

import { axiosAdapter } from "@aegis-authz/agent/axios";
import { ApprovalNeeded } from "@aegis-authz/agent";
import { aegisDispatcher } from "@aegis-authz/agent/undici";
import axios from "axios";
import { Dispatcher, interceptors, request } from "undici";

import { error, run } from "./script.mjs";

const HEADERS = { "content-type": "application/json" };

/** Who sends a request again by itself chooses its key. */
const keyed = () => ({ ...HEADERS, "idempotency-key": randomUUID() });

const senders = {
  fetch: (playing) => {
    const fetch = playing.aegis.fetchWhenApproved({ onPending: playing.onPending });
    return async ({ path, json }) => {
      const headers = playing.tries > 1 ? keyed() : HEADERS;
      const { signal } = playing;
      let answer;
      for (let tries = playing.tries; tries > 0 && (answer?.status ?? 503) === 503; tries -= 1) {
        answer = await fetch(playing.base + path, { method: "POST", headers, body: JSON.stringify(json), signal });
      }
      return answer.json();
    };
  },
  axios: (playing) => {
    const adapter = axiosAdapter(playing.aegis, axios, { onPending: playing.onPending });
    const client = axios.create({ adapter, baseURL: playing.base, signal: playing.signal });
    client.interceptors.response.use(undefined, (fault) => {
      const isAgain = playing.tries > 1 && fault.response?.status === 503;
      return isAgain ? client.request(fault.config) : Promise.reject(fault);
    });
    return async ({ path, json }) => (await client.post(path, json)).data;
  },
  undici: (playing) => {
    const redirects = interceptors.redirect({ maxRedirections: 5 });
    const dispatcher = aegisDispatcher(playing.aegis, Dispatcher).compose(redirects);
    return async ({ path, json }) => {
      const options = { dispatcher, method: "POST", headers: keyed(), body: JSON.stringify(json), signal: playing.signal };
      const send = () => request(playing.base + path, options);
      let answer;
      for (let tries = playing.tries; tries > 0 && (answer?.statusCode ?? 503) === 503; tries -= 1) {
        await answer?.body.dump();
        answer = await send().catch((fault) => whenDecided(fault, playing, send));
      }
      return answer.body.json();
    };
  },
};

/** A dispatcher repeats nothing: once somebody has decided, its program calls again. */
async function whenDecided(fault, playing, send) {
  if (!(fault instanceof ApprovalNeeded)) {
    throw fault;
  }
  playing.onPending(fault);
  await fault.granted();
  return send();
}

await run(async (playing) => {
  const send = await senders[process.argv[2]](playing);
  return playing.each(async (call) => {
    try {
      const result = await send(call);
      return { got: { result }, shown: JSON.stringify(result) };
    } catch (fault) {
      return { got: error(fault), shown: fault.message };
    }
  });
});
