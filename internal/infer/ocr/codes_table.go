package ocr

// codes are Tesseract's names of languages by ISO 639-1, and by the tags the Computer Vision API has besides (zh-Hans, sr-Latn, pt-BR).
var codes = map[string]string{
	"af": "afr", "am": "amh", "ar": "ara", "as": "asm", "az": "aze", "be": "bel", "bg": "bul", "bn": "ben", "br": "bre", "bs": "bos", "ca": "cat",
	"cs": "ces", "cy": "cym", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "eo": "epo", "es": "spa", "et": "est", "eu": "eus", "fa": "fas",
	"fi": "fin", "fo": "fao", "fr": "fra", "fy": "fry", "ga": "gle", "gd": "gla", "gl": "glg", "gu": "guj", "he": "heb", "hi": "hin", "hr": "hrv",
	"ht": "hat", "hu": "hun", "hy": "hye", "id": "ind", "is": "isl", "it": "ita", "ja": "jpn", "jv": "jav", "ka": "kat", "kk": "kaz", "km": "khm",
	"kn": "kan", "ko": "kor", "ku": "kmr", "ky": "kir", "la": "lat", "lb": "ltz", "lo": "lao", "lt": "lit", "lv": "lav", "mi": "mri", "mk": "mkd",
	"ml": "mal", "mn": "mon", "mr": "mar", "ms": "msa", "mt": "mlt", "my": "mya", "nb": "nor", "ne": "nep", "nl": "nld", "no": "nor", "oc": "oci",
	"or": "ori", "pa": "pan", "pl": "pol", "ps": "pus", "pt": "por", "pt-br": "por", "qu": "que", "ro": "ron", "ru": "rus", "sa": "san", "sd": "snd",
	"si": "sin", "sk": "slk", "sl": "slv", "sq": "sqi", "sr": "srp", "sr-cyrl": "srp", "sr-latn": "srp_latn", "su": "sun", "sv": "swe", "sw": "swa",
	"ta": "tam", "te": "tel", "tg": "tgk", "th": "tha", "ti": "tir", "to": "ton", "tr": "tur", "tt": "tat", "ug": "uig", "uk": "ukr", "ur": "urd",
	"uz": "uzb", "vi": "vie", "yi": "yid", "yo": "yor", "zh": "chi_sim", "zh-hans": "chi_sim", "zh-hant": "chi_tra",
}
