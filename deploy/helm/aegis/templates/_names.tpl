{{/* Names and labels that every template shares. */}}

{{- define "aegis.name" -}}
{{- if contains "aegis" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-aegis" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "aegis.labels" -}}
app.kubernetes.io/name: aegis
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* (list $ "gateway"): what a part's pods are found by. */}}
{{- define "aegis.selector" -}}
app.kubernetes.io/name: aegis
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (list $ "aegis"): an image of ours has the chart's version unless a tag is given. */}}
{{- define "aegis.image" -}}
{{- $root := index . 0 }}{{- $image := index $root.Values.images (index . 1) -}}
{{ $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion }}
{{- end }}

{{- define "aegis.control.url" -}}
{{- if .Values.control.enabled }}{{ ternary "https" "http" (ne .Values.control.tls.secret "") }}://{{ include "aegis.name" . }}-control.{{ .Release.Namespace }}.svc:7400
{{- else }}{{ required "control.url: where is the control plane, when control.enabled is false?" .Values.control.url }}{{ end }}
{{- end }}

{{/* The same as host:port, which Envoy's door passes on to. */}}
{{- define "aegis.control.address" -}}
{{- $place := urlParse (include "aegis.control.url" .) -}}
{{- if contains ":" $place.host }}{{ $place.host }}{{ else }}{{ fail "control.url: say the port, as in http://control.example:7400" }}{{ end }}
{{- end }}

{{/* What verifies a control plane that speaks TLS, "" for one that does not. */}}
{{- define "aegis.control.authorities" -}}
{{- if hasPrefix "https:" (include "aegis.control.url" .) }}/run/secrets/public/control-ca.pem{{ end }}
{{- end }}

{{/* Where a service account's token is exchanged, by TLS alone: what is exchanged there stands for an agent. */}}
{{- define "aegis.token.endpoint" -}}
{{- if .Values.sidecar.tokenEndpoint }}{{ .Values.sidecar.tokenEndpoint }}
{{- else if include "aegis.control.authorities" . }}{{ include "aegis.control.url" . }}/v1/token
{{- else }}{{ fail "sidecar.tokenEndpoint: the https:// address of the control plane's /v1/token, or give it TLS (control.tls.secret)" }}{{ end }}
{{- end }}

{{/* The gateway's Service, by the scheme of its listeners, to which a port is appended. */}}
{{- define "aegis.gateway.reach" -}}
{{ ternary "https" "http" (ne .Values.gateway.tls.secret "") }}://{{ include "aegis.name" . }}-gateway.{{ .Release.Namespace }}.svc
{{- end }}

{{/* Where agents ask of calls that do not pass Envoy, "" where they cannot. By TLS alone: the answer is what they go by. */}}
{{- define "aegis.evaluation.url" -}}
{{- with .Values.gateway.evaluation }}{{ if and $.Values.gateway.enabled .secret -}}
{{ .url | default (printf "https://%s-gateway.%s.svc:9191" (include "aegis.name" $) $.Release.Namespace) }}
{{- end }}{{ end }}
{{- end }}

{{/* Where agents get tokens: the door of the gateway, which passes nothing else to the control plane. */}}
{{- define "aegis.public.url" -}}
{{- if .Values.control.publicUrl }}{{ .Values.control.publicUrl }}
{{- else if .Values.gateway.enabled }}{{ include "aegis.gateway.reach" . }}:10002
{{- else }}{{ fail "control.publicUrl: where do agents and approvers reach the control plane, when no gateway of this release has a door?" }}{{ end }}
{{- end }}

{{- define "aegis.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "aegis.pod.security" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "aegis.control.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .Values.control.storage.className }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .Values.control.storage.size }}}}
{{- end }}

{{/* (list $ "gateway"): pods of a part in as many zones and on as many nodes as there are. */}}
{{- define "aegis.spread" -}}
{{- $labels := include "aegis.selector" . | fromYaml | toJson -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" -}}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector: {matchLabels: {{ $labels }}}
{{ end }}
{{- end }}
