"""Which languages the model tells apart, and how packages spell their names."""

# One label a language: its ISO 639-1 code, or its ISO 639-3 code where it has none.
LABELS = """af am ar as ay az ba be bg bi bm bn bo br bs ca ceb ch ckb co crh cs cv cy da de dv dz ee el en eo es et eu fa ff fi fil fj fo fr fur fy ga gd gl gn gu gv ha haw he hi hr
hsb ht hu hy id ig ilo is it iu ja jv ka kab kk kl km kn ko ku ky la lb lg ln lo lt lv mg mi mk ml mn mr ms mt my nb ne nl nn nso nv ny oc om or os pa pap pl ps pt qu rm rn ro ru rw sa sah sc
sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tn to tr ts tt ty ug uk ur uz ve vi wa war wo xh yi yo yua yue zh zu""".split()
LABELS = set(LABELS)

# Other spellings: ISO 639-2 and -3 codes, macro-languages and scripts.
SAME = dict(line.split("=") for line in """afr=af amh=am ara=ar arb=ar asm=as ayr=ay aze=az azj=az bel=be bul=bg bis=bi bam=bm ben=bn bod=bo bre=br bos=bs cat=ca ces=cs chv=cv cym=cy dan=da deu=de div=dv
dzo=dz ewe=ee ell=el eng=en epo=eo spa=es est=et ekk=et eus=eu fas=fa pes=fa prs=fa fin=fi fij=fj fao=fo fra=fr fry=fy gle=ga gla=gd glg=gl gug=gn grn=gn guj=gu glv=gv hau=ha heb=he hin=hi hrv=hr hat=ht hun=hu hye=hy ina=ia
ind=id ibo=ig isl=is ita=it iku=iu ike=iu jpn=ja jav=jv kat=ka kaz=kk kal=kl khm=km kan=kn kor=ko kmr=ku kur=ku kir=ky lat=la ltz=lb lug=lg lin=ln lao=lo lit=lt lav=lv lvs=lv mlg=mg plt=mg mri=mi mkd=mk
mal=ml mon=mn khk=mn mar=mr msa=ms zlm=ms mly=ms mlt=mt mya=my nob=nb no=nb nor=nb nep=ne nld=nl nno=nn nav=nv nya=ny oci=oc orm=om gaz=om ori=or oss=os pan=pa pol=pl pus=ps pbu=ps por=pt que=qu quz=qu quy=qu
roh=rm run=rn ron=ro rus=ru kin=rw san=sa srd=sc src=sc snd=sd sme=se sag=sg sin=si slk=sk slv=sl smo=sm sna=sn som=so sqi=sq als=sq srp=sr ssw=ss sot=st sun=su swe=sv swa=sw swh=sw tam=ta tel=te
tgk=tg tha=th tir=ti tuk=tk tl=fil tgl=fil tsn=tn ton=to tur=tr tso=ts tat=tt tah=ty uig=ug ukr=uk urd=ur uzb=uz uzn=uz ven=ve vie=vi wln=wa wol=wo xho=xh yid=yi ydd=yi yor=yo zho=zh chi=zh cmn=zh zul=zu
in=id iw=he ji=yi be-tarask=be cha=ch cos=co ful=ff fuv=ff""".split())

# Scripts a language is written in, by the first word of Unicode's character names. LATIN where nothing is said.
SCRIPTS = {}
for words in """am ETHIOPIC;ar ARABIC;as BENGALI;az LATIN CYRILLIC;ba CYRILLIC;be CYRILLIC;bg CYRILLIC;bn BENGALI;bo TIBETAN;ckb ARABIC;cv CYRILLIC;dv THAANA;dz TIBETAN;el GREEK;fa ARABIC;gu GUJARATI;he HEBREW
hi DEVANAGARI;hy ARMENIAN;iu CANADIAN;ja KANA CJK;ka GEORGIAN;kk CYRILLIC;km KHMER;kn KANNADA;ko HANGUL;ky CYRILLIC;lo LAO;mk CYRILLIC;ml MALAYALAM;mn CYRILLIC;mr DEVANAGARI;my MYANMAR;ne DEVANAGARI
or ORIYA;os CYRILLIC;pa GURMUKHI;ps ARABIC;ru CYRILLIC;sa DEVANAGARI;sah CYRILLIC;sd ARABIC;si SINHALA;sr CYRILLIC LATIN;ta TAMIL;te TELUGU;tg CYRILLIC;th THAI;ti ETHIOPIC;tt CYRILLIC;ug ARABIC;uk CYRILLIC
ur ARABIC;uz LATIN CYRILLIC;yi HEBREW;yue CJK;zh CJK;tk LATIN;bs LATIN;crh LATIN;ku LATIN;ks ARABIC""".replace("\n", ";").split(";"):
    label, *scripts = words.split()
    SCRIPTS[label] = tuple(scripts)
NONLATIN = {label for label, s in SCRIPTS.items() if "LATIN" not in s}
# Languages whose ordinary text is plain ASCII often enough that being so says nothing.
ASCII = {"en", "id", "ms", "nl", "sw", "so", "zu", "xh", "st", "tn", "ts", "nso", "ss", "ve", "rw", "rn", "sn", "ny", "lg", "la", "it", "fil", "ceb", "war", "ilo", "jv", "su", "om", "mg", "af", "gd", "haw", "eu", "fy", "nb", "es", "pt",
         "ha", "ig", "ln", "ch", "fj", "bi", "to", "sm", "kl", "uz", "br", "da", "de", "fr", "sv", "fi", "et", "cy", "ga", "gv", "ht", "pap", "qu", "ay", "gn", "co", "sc", "lb", "ff", "sg", "bm", "wo", "yo", "ee", "mi", "ty", "nn", "sl", "hr", "bs", "hu", "sq", "gl", "ca", "oc", "ro", "tr", "az", "ku", "tk", "pl", "cs", "sk", "lt", "lv", "fo", "is", "rm", "fur", "wa", "hsb", "se", "eo", "mt", "nv", "yua", "kab", "crh"}

DICT = {"ngerman": "de", "ogerman": "de", "swiss": "de", "french": "fr", "dutch": "nl", "italian": "it", "polish": "pl", "swedish": "sv", "danish": "da", "nynorsk": "nn", "bokmaal": "nb", "bulgarian": "bg", "catalan": "ca", "faroese": "fo",
        "galician-minimos": "gl", "irish": "ga", "manx": "gv", "portuguese": "pt", "spanish": "es", "ukrainian": "uk", "brazilian": "pt", "british-english": "en", "american-english": "en", "esperanto": "eo"}


def of(name):
    """The label of a locale, or None."""
    name = name.replace("_", "-").replace("@", "-").split(".")[0].lower()
    parts = name.split("-")
    first = SAME.get(parts[0], parts[0])
    if name in ("aze-cyrl", "uzb-cyrl", "sr-latn", "sr-latin", "sr-ijekavianlatin", "srp-latn", "sr-el", "sr-ec", "sr-cyrl"):
        return {"sr-latn": "sr", "sr-latin": "sr", "sr-ijekavianlatin": "sr", "srp-latn": "sr", "sr-el": "sr", "sr-ec": "sr", "sr-cyrl": "sr"}.get(name, first)
    if len(parts) > 1 and parts[1] in ("arab", "cyrl", "latn", "adlm", "latin", "cyrillic", "iqtelif", "tfng", "guru", "deva", "mtei", "olck", "hebr", "orig", "arabic", "devanagari") and name not in ("uz-cyrl", "uz-latn", "az-cyrl", "kk-cyrl", "ks-arab", "ku-latn", "tt-cyrl", "ug-arab", "sd-arab", "tg-cyrl", "hif-latn", "iu-latn"):
        return None
    if parts[0] == "nds" or name in ("es-formal", "de-formal", "en-x-ploc", "nl-informal", "hu-formal", "en-shaw", "pa-pk", "yue-hans", "iu-latn", "fa-af-x"):
        return None
    if name.startswith("zh-yue") or name in ("zh-hk", "zh-hant-hk", "zh-mo"):
        return "zh" if name != "zh-yue" else "yue"
    return first if first in LABELS else None


UDHR = {"fri": "fy", "ccx": None, "fuv2": "ff", "aka_asante": None, "064": None, "kmr": "ku", "src": "sc", "mly_latn": "ms", "mly_arab": None, "tgl_tglg": None, "jav_java": None, "khk_mong": None, "uig_latn": None, "tuk_cyrl": None, "vie_han": None,
        "san_gran": None, "bos_cyrl": None, "cmn_hans": "zh", "cmn_hant": "zh", "wuu": None, "gan": None, "hak": None, "hsn": None, "nan": None, "cjy": None, "nob": "nb", "oci_1": "oc", "oci_2": "oc", "oci_3": "oc", "oci_4": "oc", "tso_MZ": "ts", "lat_1": "la", "rmn": None}


def of_udhr(code, tag):
    """The label of a declaration, or None."""
    if code in UDHR:
        return UDHR[code]
    first = code.split("_")[0]
    if first == "fil" or first == "tgl":
        return "fil"
    return of(first) or (of(tag) if "-x-" not in tag else None)
