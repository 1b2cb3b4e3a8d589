// Analyzes texts with @azure/ai-text-analytics and @azure/ai-language-text, whichever operations are asked for, and prints the results as JSON; where everything is
// comes from the environment.
import { createRequire } from "node:module";

// The packages are installed outside the source tree; NODE_MODULES says where.
const require = createRequire(process.env.NODE_MODULES + "/");
const { TextAnalyticsClient, AzureKeyCredential } = require("@azure/ai-text-analytics");
const { TextAnalysisClient } = require("@azure/ai-language-text");

const { ENDPOINT, KEY, OPERATIONS } = process.env;
const operations = OPERATIONS.split(",");
// Plain HTTP, as containers speak it, has to be allowed.
const options = { retryOptions: { maxRetries: 0 }, allowInsecureConnection: ENDPOINT.startsWith("http:") };
const older = new TextAnalyticsClient(ENDPOINT, new AzureKeyCredential(KEY), options);
const newer = new TextAnalysisClient(ENDPOINT, new AzureKeyCredential(KEY), options);

const languages = ["Bonjour tout le monde, comment allez-vous aujourd'hui ?", "This document is written in English.", "12345"];
const opinions = ["The food was wonderful. The staff was awful and rude."];
const phrases = ["The food was delicious and there were wonderful staff."];

const out = {};
if (operations.includes("language")) {
  const found = await older.detectLanguage(languages, "us", { includeStatistics: true });
  out.older = found.map((d) => d.primaryLanguage.iso6391Name);
  out.statistics = found.statistics;
  out.newer = (await newer.analyze("LanguageDetection", languages)).map((d) => d.primaryLanguage.iso6391Name);
  const bad = await older.detectLanguage([{ id: "1", text: "" }, { id: "2", text: "hello", countryHint: "nowhere" }]);
  out.documentErrors = bad.map((d) => d.error.code);
  try {
    await older.detectLanguage([{ id: "1", text: "a" }, { id: "1", text: "b" }]);
  } catch (e) {
    out.requestError = [e.statusCode, e.code, e.message];
  }
}
if (operations.includes("sentiment")) {
  const judged = await older.analyzeSentiment(opinions, "en");
  out.sentiment = judged.map((d) => [d.sentiment, d.sentences.map((s) => [s.sentiment, s.offset, s.length])]);
  out.newerSentiment = (await newer.analyze("SentimentAnalysis", opinions, "en")).map((d) => d.sentiment);
  const unknown = await older.analyzeSentiment(["hello"], "notalanguage");
  out.unknownLanguage = unknown.map((d) => d.error.code);
}
if (operations.includes("keyphrase")) {
  out.phrases = (await older.extractKeyPhrases(phrases, "en"))[0].keyPhrases;
  out.newerPhrases = (await newer.analyze("KeyPhraseExtraction", phrases, "en"))[0].keyPhrases;
}
console.log(JSON.stringify(out));
