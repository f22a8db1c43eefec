// fetch of Node, https. Before 22.21 it takes no proxy from the environment by itself; undici, which it is made of, does.
import { EnvHttpProxyAgent, fetch, setGlobalDispatcher } from "undici";

setGlobalDispatcher(new EnvHttpProxyAgent());
const texts = [];
for (const repository of ["web", "secret", "web"]) {
  const response = await fetch(`https://api.github.example/repos/acme/${repository}`);
  const answer = await response.json();
  texts.push(response.ok ? answer.full_name : answer.detail);
}
console.log(JSON.stringify({ allowed: texts[0], denied: texts[1], again: texts[2] }));
