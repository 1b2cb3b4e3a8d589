"""Analyzes texts with azure-ai-textanalytics (the Language API, v3.1 and v3.0) and azure-cognitiveservices-language-textanalytics (v2.1), and prints the results as JSON;
where everything is comes from the environment."""

import json
import os

from azure.ai.textanalytics import TextAnalyticsClient
from azure.cognitiveservices.language.textanalytics import TextAnalyticsClient as OldClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from msrest.authentication import CognitiveServicesCredentials

endpoint, key, operations = os.environ["ENDPOINT"], os.environ["KEY"], os.environ["OPERATIONS"].split(",")

languages = ["Bonjour tout le monde, comment allez-vous aujourd'hui ?", "This document is written in English.", "12345"]
opinions = ["The food was wonderful. The staff was awful and rude."]
phrases = ["The food was delicious and there were wonderful staff."]


def documents(texts, **more):
    return [{"id": str(i), "text": t, **more} for i, t in enumerate(texts)]


out = {}
for version in ["2023-04-01", "2022-05-01", "v3.1", "v3.0"]:
    client = TextAnalyticsClient(endpoint, AzureKeyCredential(key), api_version=version, retry_total=0)
    if "language" in operations:
        out["language " + version] = [d.primary_language.iso6391_name for d in client.detect_language(languages, country_hint="US")]
        try:
            client.detect_language([{"id": "1", "text": "a"}, {"id": "1", "text": "b"}])
        except HttpResponseError as e:
            out["error " + version] = [e.status_code, e.error.code]
    if "sentiment" in operations:
        out["sentiment " + version] = [[d.sentiment, [s.text for s in d.sentences]] for d in client.analyze_sentiment(opinions, language="en")]
    if "keyphrase" in operations:
        out["phrases " + version] = client.extract_key_phrases(phrases, language="en")[0].key_phrases

old = OldClient(endpoint, CognitiveServicesCredentials(key))
if "language" in operations:
    found = old.detect_language(documents=documents(languages), show_stats=True)
    out["language v2.1"] = [d.detected_languages[0].iso6391_name for d in found.documents]
    out["statistics v2.1"] = [found.statistics.documents_count, found.statistics.transactions_count]
if "sentiment" in operations:
    out["sentiment v2.1"] = [d.score for d in old.sentiment(documents=documents(["It was wonderful, I loved it.", "It was awful, I hated it."], language="en")).documents]
if "keyphrase" in operations:
    out["phrases v2.1"] = old.key_phrases(documents=documents(phrases, language="en")).documents[0].key_phrases
print(json.dumps(out))
