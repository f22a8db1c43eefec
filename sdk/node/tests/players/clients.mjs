// Plays the cases with a client that has no model: fetch or axios.

import { randomUUID } from "node:crypto";

import { axiosAdapter } from "@aegis-authz/agent/axios";
import axios from "axios";

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
};

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
