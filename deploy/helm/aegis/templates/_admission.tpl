{{/* What the admission policies of sidecars are written from. */}}

{{/* A value as a literal of CEL. Every part is dyn(): the API server refuses lists and maps of mixed kinds.
     @AGENT@ in a text is the agent's name, as the pod's label says it. */}}
{{- define "aegis.cel" -}}
{{- if kindIs "map" . -}}
{ {{- $value := . }}{{- range $place, $key := keys . | sortAlpha }}{{ if $place }}, {{ end }}{{ toJson $key }}: dyn({{ include "aegis.cel" (index $value $key) }}){{ end -}} }
{{- else if kindIs "slice" . -}}
[ {{- range $place, $entry := . }}{{ if $place }}, {{ end }}dyn({{ include "aegis.cel" $entry }}){{ end -}} ]
{{- else if and (kindIs "string" .) (contains "@AGENT@" .) -}}
{{- $parts := splitn "@AGENT@" 2 . -}}
{{ toJson $parts._0 }} + object.metadata.labels["aegis/agent"] + {{ toJson $parts._1 }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{- define "aegis.admission.version" -}}
{{- if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy" }}admissionregistration.k8s.io/v1
{{- else if .Capabilities.APIVersions.Has "admissionregistration.k8s.io/v1beta1/MutatingAdmissionPolicy" }}admissionregistration.k8s.io/v1beta1
{{- else }}{{ fail "sidecar.enabled: this cluster has no MutatingAdmissionPolicy (v1 from Kubernetes 1.36, v1beta1 from 1.34 when switched on); name the certificate of a webhook instead (sidecar.webhook.secret), use the gateway, or --api-versions where there is no cluster to ask" }}{{ end }}
{{- end }}

{{/* The init container that puts the packet filter's rules in force, before anything of the pod runs. */}}
{{- define "aegis.sidecar.rules" -}}
name: aegis-rules
image: {{ include "aegis.image" (list . "init") | quote }}
imagePullPolicy: {{ .Values.images.init.pullPolicy }}
args: [up, --pod, --gateway, "1337", --gateway, "10001", --gateway, "10002", --port, "15001", --dns-port, "15053", --device, eth0]
securityContext:
  runAsUser: 0
  runAsGroup: 0
  runAsNonRoot: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL], add: [NET_ADMIN]}
resources:
  requests: {cpu: 10m, memory: 32Mi}
  limits: {memory: 128Mi}
{{- end }}

{{- define "aegis.sidecar.records" -}}
{{- if .Values.sidecar.records.claim }}{persistentVolumeClaim: {claimName: {{ .Values.sidecar.records.claim }}}}
{{- else if eq .Values.sidecar.records.loss "accept" }}{emptyDir: {}}
{{- else }}{{ fail "sidecar.records.claim: name a ReadWriteMany claim that exists in each namespace and keeps the records of pods that are gone, or say sidecar.records.loss=accept" }}{{ end }}
{{- end }}

{{/* All init containers that a pod gets, in order: the rules, then the processes of its gateway. */}}
{{- define "aegis.sidecar.containers" -}}
- {{- include "aegis.sidecar.rules" . | nindent 2 }}
{{- include "aegis.gateway.containers" (list . .Values.sidecar (dict "restartPolicy" "Always")) }}
{{- end }}

{{- define "aegis.sidecar.volumes" -}}
{{- include "aegis.gateway.volumes" (list . "aegis-sidecar-@AGENT@" (include "aegis.sidecar.records" . | fromYaml) .Values.sidecar) }}
- name: aegis-identity
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {audience: {{ .Values.sidecar.audience }}, expirationSeconds: 3600, path: token}
{{- end }}
