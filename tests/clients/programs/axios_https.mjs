// axios, https.
import axios from "axios";

const texts = [];
for (const repository of ["web", "secret", "web"]) {
  const answer = await axios.get(`https://api.github.example/repos/acme/${repository}`, { validateStatus: () => true });
  texts.push(answer.status === 200 ? answer.data.full_name : answer.data.detail);
}
console.log(JSON.stringify({ allowed: texts[0], denied: texts[1], again: texts[2] }));
