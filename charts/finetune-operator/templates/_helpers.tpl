{{/* Name of everything in a release. Short enough for what is added to it. */}}
{{- define "finetune-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* What tells the operator's pods from all others; a Deployment can never change it. */}}
{{- define "finetune-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "finetune-operator.labels" -}}
{{ include "finetune-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Reference of an image: takes a dict of image and Chart. */}}
{{- define "finetune-operator.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "finetune-operator.trainerImage" -}}
{{ include "finetune-operator.image" (dict "image" .Values.trainer.image "Chart" .Chart) }}
{{- end -}}

{{/* What Pod Security "restricted" asks of a pod. */}}
{{- define "finetune-operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* And of a container. */}}
{{- define "finetune-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* A variable of the operator: takes its name, in lower or camel case, and its value. */}}
{{- define "finetune-operator.setting" -}}
- name: FTJ_OPERATOR_{{ .name | snakecase | upper }}
  value: {{ ternary .value (toJson .value) (kindIs "string" .value) | quote }}
{{- end -}}
