// fetch of Node, and nothing else.
const texts = [];
for (const repository of ["web", "secret", "web"]) {
  const response = await fetch(`${process.env.AEGIS_BASE_URL}/github-api/repos/acme/${repository}`);
  const answer = await response.json();
  texts.push(response.ok ? answer.full_name : answer.detail);
}
console.log(JSON.stringify({ allowed: texts[0], denied: texts[1], again: texts[2] }));
