{{/* The processes of a gateway, the same in a pod of its own and as sidecars. docs/deployment.md says what each needs. */}}

{{/* (list $ $values "gateway"): settings of the authorizers. */}}
{{- define "aegis.gateway.authz" -}}
{{- $root := index . 0 }}{{- $values := index . 1 -}}
listen: unix:/run/aegis/authz-{worker}.sock
listen_mode: "0660"
workers: {{ $values.workers }}
opa_socket: /run/aegis/opa.sock
redis: {file: /run/secrets/authz/redis.url}
records: /var/lib/aegis/records
record_key: /run/secrets/authz/records.pem
session_keys: /run/secrets/authz/sessions.keys
metrics: 0.0.0.0:9100
metrics_dir: /run/aegis/metrics
ready_socket: /run/aegis/ready-{worker}.sock
drain_ms: {{ $values.drainMs }}
environment: {{ $root.Values.environment | quote }}
{{- with $root.Values.region }}
region: {{ . | quote }}
{{- end }}
{{- with $values.identity }}
identity: {{ toJson . }}
{{- end }}
{{- if (default dict $values.evaluation).secret }}
evaluation:
  listen: 0.0.0.0:9191
  url: {{ include "aegis.evaluation.url" $root }}
  tls: {certificate: /run/secrets/evaluation-tls/tls.crt, key: /run/secrets/evaluation-tls/tls.key}
{{- end }}
{{- end }}

{{/* (list $ $values "0.0.0.0"): settings of what configures Envoy. */}}
{{- define "aegis.gateway.routes" -}}
{{- $root := index . 0 }}{{- $values := index . 1 -}}
opa_socket: /run/aegis/opa.sock
folder: /run/aegis/envoy
ready_socket: /run/aegis/routes.sock
proxy:
  bind: {{ index . 2 | quote }}
  forward_port: 10000
  reverse_port: 10001
  door: {port: 10002, control: {{ include "aegis.control.address" $root | quote }}{{ with include "aegis.control.authorities" $root }}, authorities: {{ . }}{{ end }}}
  admin_socket: /run/envoy/envoy.sock
  authz:
    {{- range $worker := until (int $values.workers) }}
    - unix:/run/aegis/authz-{{ $worker }}.sock
    {{- end }}
  xds: /run/aegis/envoy/xds
  access_log: /dev/stdout
  ca_file: /etc/ssl/certs/ca-certificates.crt
  {{- if $values.https }}
  interception: {certificates: "unix:/run/aegis/certs.sock"}
  {{- end }}
  {{- with $values.tls }}{{ if .secret }}
  tls: {certificate: /run/secrets/gateway-tls/tls.crt, key: /run/secrets/gateway-tls/tls.key{{ if .clientCa }}, client_ca: /run/secrets/gateway-tls/ca.crt{{ end }}}
  {{- end }}{{ end }}
  {{- with $values.tools }}
  tools: {{ toJson . }}
  {{- end }}
{{- end }}

{{- define "aegis.gateway.certificates" -}}
listen: unix:/run/aegis/certs.sock
listen_mode: "0660"
authority: /run/secrets/certificates
ready_socket: /run/aegis/certs-up.sock
{{- end }}

{{/* A probe by command: the sockets are of no network. */}}
{{- define "aegis.probes" -}}
{{- $ask := dict "command" (list "/usr/bin/python3" "-P" "-m" "aegis_authz.cli" "ready" (index . 0) (index . 1)) -}}
startupProbe: {exec: {{ toJson $ask }}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 90}
readinessProbe: {exec: {{ toJson $ask }}, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2}
{{- end }}

{{/* (list $ $values $always): the containers; $always is {restartPolicy: Always} for sidecars, {} in a pod of their own. */}}
{{- define "aegis.gateway.containers" -}}
{{- $root := index . 0 }}{{- $values := index . 1 }}{{- $always := index . 2 }}
- name: aegis-opa
  image: {{ include "aegis.image" (list $root "opa") | quote }}
  imagePullPolicy: {{ $root.Values.images.opa.pullPolicy }}
  {{- with $always }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  args: [run, --server, --addr, "unix:///run/aegis/opa.sock", --unix-socket-perm, "770", --config-file, /run/secrets/opa/opa.json, --skip-version-check, --log-level, error]
  securityContext:
    runAsUser: 10002
    runAsGroup: 10001
    runAsNonRoot: true
    {{- include "aegis.container.security" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.opa | nindent 4 }}
  volumeMounts:
    - {name: aegis-run, mountPath: /run/aegis}
    - {name: aegis-opa, mountPath: /var/lib/opa}
    - {name: aegis-opa-secret, mountPath: /run/secrets/opa, readOnly: true}
  {{- if include "aegis.control.authorities" $root }}
    - {name: aegis-public, mountPath: /run/secrets/public, readOnly: true}
  {{- end }}
- name: aegis-routes
  image: {{ include "aegis.image" (list $root "aegis") | quote }}
  imagePullPolicy: {{ $root.Values.images.aegis.pullPolicy }}
  {{- with $always }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  args: [serve, routes, --log-format, json, --config, /etc/aegis/routes.yaml]
  {{- include "aegis.probes" (list "unix:/run/aegis/routes.sock" "/readyz") | nindent 2 }}
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
    runAsNonRoot: true
    {{- include "aegis.container.security" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.rest | nindent 4 }}
  volumeMounts:
    - {name: aegis-run, mountPath: /run/aegis}
    - {name: aegis-tmp, mountPath: /tmp, subPath: "aegis-routes"}
    - {name: aegis-settings, mountPath: /etc/aegis, readOnly: true}
    - {name: aegis-public, mountPath: /run/secrets/public, readOnly: true}
{{- if $values.https }}
- name: aegis-certificates
  image: {{ include "aegis.image" (list $root "aegis") | quote }}
  imagePullPolicy: {{ $root.Values.images.aegis.pullPolicy }}
  {{- with $always }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  args: [serve, certificates, --log-format, json, --config, /etc/aegis/certificates.yaml]
  {{- include "aegis.probes" (list "unix:/run/aegis/certs-up.sock" "/readyz") | nindent 2 }}
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
    runAsNonRoot: true
    {{- include "aegis.container.security" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.rest | nindent 4 }}
  volumeMounts:
    - {name: aegis-run, mountPath: /run/aegis}
    - {name: aegis-tmp, mountPath: /tmp, subPath: "aegis-certificates"}
    - {name: aegis-settings, mountPath: /etc/aegis, readOnly: true}
    - {name: aegis-certificates-secret, mountPath: /run/secrets/certificates, readOnly: true}
{{- end }}
{{- range $worker := until (int $values.workers) }}
- name: aegis-authz-{{ $worker }}
  image: {{ include "aegis.image" (list $root "aegis") | quote }}
  imagePullPolicy: {{ $root.Values.images.aegis.pullPolicy }}
  {{- with $always }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  args: [serve, authz, --worker, {{ $worker | quote }}, --log-format, json, --config, /etc/aegis/authz.yaml]
  {{- include "aegis.probes" (list (printf "unix:/run/aegis/ready-%d.sock" $worker) "/readyz") | nindent 2 }}
  {{- if eq $worker 0 }}
  ports:
    - {name: metrics, containerPort: 9100}
    {{- if (default dict $values.evaluation).secret }}
    - {name: evaluation, containerPort: 9191}
    {{- end }}
  {{- end }}
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
    runAsNonRoot: true
    {{- include "aegis.container.security" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.authz | nindent 4 }}
  volumeMounts:
    - {name: aegis-run, mountPath: /run/aegis}
    - {name: aegis-tmp, mountPath: /tmp, subPath: "aegis-authz-{{ $worker }}"}
    - {name: aegis-settings, mountPath: /etc/aegis, readOnly: true}
    - {name: aegis-authz-secret, mountPath: /run/secrets/authz, readOnly: true}
    {{- if (default dict $values.evaluation).secret }}
    - {name: aegis-evaluation-tls, mountPath: /run/secrets/evaluation-tls, readOnly: true}
    {{- end }}
    - name: aegis-records
      mountPath: /var/lib/aegis/records
      {{- if $always }}
      subPathExpr: $(AEGIS_POD)
      {{- end }}
  {{- if $always }}
    - {name: aegis-identity, mountPath: /run/secrets/identity, readOnly: true}
    - {name: aegis-public, mountPath: /run/secrets/public, readOnly: true}
  env:
    - {name: AEGIS_POD, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
  {{- end }}
{{- end }}
- name: aegis-envoy
  image: {{ include "aegis.image" (list $root "envoy") | quote }}
  imagePullPolicy: {{ $root.Values.images.envoy.pullPolicy }}
  {{- with $always }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  args: [serve, envoy, --config-path, /run/aegis/envoy/envoy.yaml, --concurrency, {{ $values.workers | quote }}]
  {{- include "aegis.probes" (list "unix:/run/envoy/envoy.sock" "/ready") | nindent 2 }}
  ports:
    - {name: forward, containerPort: 10000}
    - {name: reverse, containerPort: 10001}
    - {name: door, containerPort: 10002}
  securityContext:
    runAsUser: 1337
    runAsGroup: 10001
    runAsNonRoot: true
    {{- include "aegis.container.security" $root | nindent 4 }}
  resources: {{- toYaml $values.resources.envoy | nindent 4 }}
  volumeMounts:
    - {name: aegis-run, mountPath: /run/aegis}
    - {name: aegis-envoy, mountPath: /run/envoy}
    - {name: aegis-public, mountPath: /run/secrets/public, readOnly: true}
  {{- if (default dict $values.tls).secret }}
    - {name: aegis-gateway-tls, mountPath: /run/secrets/gateway-tls, readOnly: true}
  {{- end }}
{{- end }}

{{/* (list $ $settings $records): the volumes; $settings is the ConfigMap's name, $records the source of the records' volume, or "" where a claim of the pod holds them. */}}
{{- define "aegis.gateway.volumes" -}}
{{- $root := index . 0 }}{{- $records := index . 2 }}{{- $secrets := $root.Values.secrets }}
- {name: aegis-run, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
- {name: aegis-envoy, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
- {name: aegis-tmp, emptyDir: {medium: Memory, sizeLimit: 64Mi}}
- {name: aegis-opa, emptyDir: {sizeLimit: 256Mi}}
- {name: aegis-settings, configMap: {name: {{ index . 1 }}}}
- {name: aegis-opa-secret, secret: {secretName: {{ $secrets.opa }}, defaultMode: 0440}}
- {name: aegis-authz-secret, secret: {secretName: {{ $secrets.authz }}, defaultMode: 0440}}
{{- if (index . 3).https }}
- {name: aegis-certificates-secret, secret: {secretName: {{ $secrets.certificates }}, defaultMode: 0440}}
{{- end }}
- {name: aegis-public, secret: {secretName: {{ $secrets.public }}, defaultMode: 0444}}
{{- with (default dict (index . 3).tls).secret }}
- {name: aegis-gateway-tls, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- with (default dict (index . 3).evaluation).secret }}
- {name: aegis-evaluation-tls, secret: {secretName: {{ . }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}], defaultMode: 0440}}
{{- end }}
{{- if $records }}
- name: aegis-records
  {{- toYaml $records | nindent 2 }}
{{- end }}
{{- end }}
