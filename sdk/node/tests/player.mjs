// Plays calls that tests tell it, one a line of JSON on standard input, each answered by one on standard output.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Aegis, ApprovalNeeded } = await import(pathToFileURL(process.argv[2]).href);
const aegis = Aegis.fromEnv();
const held = new Map();

const read = async (answer) => ({ status: answer.status, url: answer.url, text: await answer.text() });

const steps = {
  fetch: async ({ url, init }) => read(await aegis.fetch(url, init)),
  toolUrl: async ({ tool }) => ({ text: aegis.toolUrl(tool) }),
  wait: async ({ approval, seconds }) => read(await held.get(approval).wait({ seconds })),
  wrapped: async ({ tool, action, args, result, failure }) => {
    const received = [];
    const called = (given) => {
      received.push(given);
      if (failure !== undefined) throw new Error(failure);
      return result;
    };
    try {
      return { received, result: await aegis.wrap(called, { tool, action })(args) };
    } catch (fault) {
      throw Object.assign(fault, { received });
    }
  },
  result: async ({ approval, seconds }) => ({ result: await held.get(approval).wait({ seconds }) }),
  close: async () => {
    aegis.close();
    return {};
  },
};

async function played({ id, step, ...rest }) {
  try {
    return { id, ...(await steps[step](rest)) };
  } catch (fault) {
    if (fault instanceof ApprovalNeeded) {
      held.set(fault.approvalId, fault);
    }
    return { id, error: fault.name, message: fault.message, ...fault };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  void played(JSON.parse(line)).then((result) => console.log(JSON.stringify(result)));
}
