# curl, and nothing else.
get() { curl -s "https://api.github.example/repos/acme/$1" | tr -d '\n' | sed 's/["\\]/ /g'; }
printf '{"allowed": "%s", "denied": "%s", "again": "%s"}\n' "$(get web)" "$(get secret)" "$(get web)"
