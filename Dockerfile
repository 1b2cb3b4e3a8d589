# A Cognitive Services container, for those who have a container engine; make image needs none.
#   docker build --build-arg SERVICE=language --tag language .
#   docker run --rm -it -p 5000:5000 language eula=accept apikey=KEY billing=URL
# SERVICE is language, sentiment, keyphrase or recognize-text. face needs its weights besides: see scripts/face-models.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -o /bulkhead ./cmd/bulkhead

FROM debian:bookworm-slim
ARG SERVICE=language
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
 && if [ "$SERVICE" = recognize-text ]; then apt-get install -y --no-install-recommends tesseract-ocr tesseract-ocr-deu tesseract-ocr-fra tesseract-ocr-spa poppler-utils; fi \
 && rm -rf /var/lib/apt/lists/* && mkdir -m 1777 /output
COPY --from=build /bulkhead /bulkhead
ENV SERVICE=$SERVICE
USER 65532:65532
EXPOSE 5000
ENTRYPOINT ["/bin/sh", "-c", "exec /bulkhead cognitive \"$SERVICE\" --listen 0.0.0.0:5000 \"$@\"", "bulkhead"]
