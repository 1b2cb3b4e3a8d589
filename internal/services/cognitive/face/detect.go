package face

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bulkheadhq/bulkhead/internal/fault"
	"github.com/bulkheadhq/bulkhead/internal/ids"
	"github.com/bulkheadhq/bulkhead/internal/infer/face"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/api"
	"github.com/bulkheadhq/bulkhead/internal/services/cognitive/fetch"
	"github.com/bulkheadhq/bulkhead/internal/store"
)

// Models as the API names them. All stand for the same networks here; a faceId keeps the name, since Azure compares none of unlike models.
const defaultRecognition = "recognition_01"

func recognitionModels() []string {
	return []string{defaultRecognition, "recognition_02", "recognition_03", "recognition_04"}
}

func detectionModels() []string { return []string{"detection_01", "detection_02", "detection_03"} }

// query are detect's parameters.
type query struct {
	id, landmarks, tellModel bool
	attributes               []string
	recognition              string
	life                     time.Duration
}

// maxLife is how long a faceId lives unless the request says less.
const maxLife = 24 * time.Hour

func parseQuery(c *api.Call) (q query, f *fault.Error) {
	q = query{id: true, recognition: defaultRecognition, life: maxLife}
	for name, into := range map[string]*bool{"returnFaceId": &q.id, "returnFaceLandmarks": &q.landmarks, "returnRecognitionModel": &q.tellModel} {
		if v, ok := c.LookupQuery(name); ok && v != "" {
			b, err := strconv.ParseBool(strings.ToLower(v))
			if err != nil {
				return q, bad("%s is invalid: it must be true or false.", name)
			}
			*into = b
		}
	}
	if q.recognition, f = oneOf("recognitionModel", c.Query("recognitionModel"), recognitionModels()); f != nil {
		return q, f
	}
	if _, f = oneOf("detectionModel", c.Query("detectionModel"), detectionModels()); f != nil {
		return q, f
	}
	if v := c.Query("faceIdTimeToLive"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 60 || n > 86400 {
			return q, bad("faceIdTimeToLive is invalid. Valid range is from 60 to 86400 seconds.")
		}
		q.life = time.Duration(n) * time.Second
	}
	for a := range strings.SplitSeq(c.Query("returnFaceAttributes"), ",") {
		if a = strings.TrimSpace(a); a == "" {
			continue
		}
		known := slices.IndexFunc(attributes(), func(k string) bool { return strings.EqualFold(k, a) })
		switch {
		case known >= 0:
			q.attributes = append(q.attributes, attributes()[known])
		case slices.ContainsFunc(unbacked(), func(k string) bool { return strings.EqualFold(k, a) }):
			return q, bad("The face attribute '%s' is not supported here: there is no model for it, and nothing is made up. Supported are %s.", a, strings.Join(attributes(), ", "))
		default:
			return q, bad("returnFaceAttributes is invalid: there is no face attribute '%s'.", clip(a))
		}
	}
	return q, nil
}

// attributes are those that can be told, unbacked those of the API that can't.
func attributes() []string {
	return []string{"age", "gender", "headPose", "smile", "emotion", "blur", "exposure", "noise"}
}

func unbacked() []string {
	return []string{"facialHair", "glasses", "hair", "makeup", "occlusion", "accessories", "mask", "qualityForRecognition"}
}

// oneOf is a name out of a list in any case, the first for none.
func oneOf(what, v string, list []string) (string, *fault.Error) {
	if v == "" {
		return list[0], nil
	}
	i := slices.IndexFunc(list, func(k string) bool { return strings.EqualFold(k, v) })
	if i < 0 {
		return "", bad("'%s' is invalid: there is no %s. There are %s.", what, clip(v), strings.Join(list, ", "))
	}
	return list[i], nil
}

// picture is the picture of a request: its body, or what the URL in its body gives.
func (s *Service) picture(ctx context.Context, c *api.Call) ([]byte, error) {
	switch t := mediaType(c); t {
	case "application/octet-stream":
		if len(c.Body) == 0 {
			return nil, badImage("Image binary is missing.")
		}
		return c.Body, nil
	case "", "application/json", "text/json":
		var body struct {
			URL string `json:"url"`
		}
		if f := decode(c, &body); f != nil {
			return nil, f
		}
		if body.URL == "" {
			return nil, bad("Request body is invalid: it has no url.")
		}
		return s.fetched(ctx, body.URL)
	default:
		return nil, fault.New(fault.UnsupportedMedia, "UnsupportedMediaType", "Invalid Media Type: %s. Send application/json or application/octet-stream.", clip(t))
	}
}

// maxImage is how large a picture may be: 6 MB.
const maxImage = 6 << 20

// fetched is the picture at an address.
func (s *Service) fetched(ctx context.Context, address string) ([]byte, error) {
	b, err := s.deps.Fetch.Get(ctx, address, maxImage)
	switch {
	case errors.Is(err, fetch.ErrURL):
		return nil, fault.New(fault.Invalid, "InvalidURL", "Invalid image URL. It must be an http or https URL without a user name.")
	case errors.Is(err, fetch.ErrTooLarge):
		return nil, fault.New(fault.Invalid, "InvalidImageSize", "Image size is too large: at most %d bytes.", maxImage)
	case err != nil:
		return nil, fault.New(fault.Invalid, "InvalidURL", "Failed to download image from the specified URL: %s.", err)
	}
	return b, nil
}

// look finds the faces of a picture and lets work do what is to be done with them, while no more than atOnce others are at it.
func (s *Service) look(ctx context.Context, raw []byte, work func(e Engine, img *face.Image, faces []face.Face) error) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return fault.New(fault.Timeout, "OperationTimeOut", "Request Timeout.").WithCause(ctx.Err())
	}
	img, err := face.Decode(raw)
	switch {
	case errors.Is(err, face.ErrSize):
		return fault.New(fault.Invalid, "InvalidImageSize", "%s.", capital(err.Error()))
	case err != nil:
		return badImage("Decoding error, image format unsupported: JPEG, PNG, GIF (the first frame) and BMP can be read.").WithCause(err)
	}
	faces, err := e.Detect(img)
	if err != nil {
		return err
	}
	return work(e, img, faces)
}

// detect is POST /detect.
func (s *Service) detect(ctx context.Context, c *api.Call) (any, error) {
	q, f := parseQuery(c)
	if f != nil {
		return nil, f
	}
	raw, err := s.picture(ctx, c)
	if err != nil {
		return nil, err
	}
	c.Charge(1)
	out := []shownFace{}
	var writes []entry
	shard := faceShard(c.Account)
	err = s.look(ctx, raw, func(e Engine, img *face.Image, faces []face.Face) error {
		for i := range faces {
			shown, err := describe(e, &faces[i], &q)
			if err != nil {
				return err
			}
			if q.id {
				embedding, err := e.Embed(img, &faces[i])
				if err != nil {
					return err
				}
				shown.FaceID = ids.New()
				r := row[detected]{key: []byte("f|" + shown.FaceID), v: detected{Model: q.recognition, Expires: s.deps.Clock.Now().Add(q.life), Embedding: vector(embedding)}}
				w, err := sealed(s, shard, r, detectedCodec)
				if err != nil {
					return err
				}
				writes = append(writes, w, entry{key: expiryKey(r.v.Expires, shown.FaceID), value: []byte{}})
			}
			out = append(out, shown)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, s.keepFaces(ctx, shard, writes)
}

// expiryKey orders detected faces by when they go.
func expiryKey(at time.Time, id string) []byte {
	return append(binary.BigEndian.AppendUint64([]byte("x|"), uint64(at.Unix())), "|"+id...)
}

// swept is how many expired faces go with each new picture at most: more than a picture can bring.
const swept = 3 * face.MaxFaces

// keepFaces stores detected faces and takes away expired ones.
func (s *Service) keepFaces(ctx context.Context, shard string, writes []entry) error {
	if len(writes) == 0 {
		return nil
	}
	end := binary.BigEndian.AppendUint64([]byte("x|"), uint64(s.deps.Clock.Now().Unix()))
	_, err := s.deps.Store.Update(ctx, shard, func(tx store.Tx) error {
		var gone [][]byte
		if err := tx.Scan(store.Range{Start: []byte("x|"), End: end}, func(key, _ []byte) bool {
			gone = append(gone, append([]byte(nil), key...))
			return len(gone) < swept
		}); err != nil {
			return err
		}
		for _, k := range gone {
			if err := tx.Delete(k); err != nil {
				return err
			}
			if err := tx.Delete([]byte("f|" + string(k[len("x|")+8+1:]))); err != nil {
				return err
			}
		}
		for _, w := range writes {
			if err := tx.Put(w.key, w.value); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// detectedFace is the face of a faceId.
func (s *Service) detectedFace(ctx context.Context, c *api.Call, name, id string) (*detected, error) {
	lower, ok := guid(id)
	if !ok {
		return nil, bad("%s is invalid.", name)
	}
	r, found, err := load(ctx, s, faceShard(c.Account), []byte("f|"+lower), detectedCodec)
	if err != nil {
		return nil, err
	}
	if !found || !s.deps.Clock.Now().Before(r.v.Expires) {
		return nil, fault.New(fault.NotFound, "FaceNotFound", "Face %s is not found. A faceId is known for 24 hours at most.", lower)
	}
	return &r.v, nil
}

// Shapes of detect's answer.
type (
	shownFace struct {
		FaceID      string           `json:"faceId,omitempty"`
		Recognition string           `json:"recognitionModel,omitempty"`
		Rectangle   shownRectangle   `json:"faceRectangle"`
		Landmarks   *shownLandmarks  `json:"faceLandmarks,omitempty"`
		Attributes  *shownAttributes `json:"faceAttributes,omitempty"`
	}
	shownRectangle struct {
		Top    int `json:"top"`
		Left   int `json:"left"`
		Width  int `json:"width"`
		Height int `json:"height"`
	}
	shownPoint struct {
		X decimal `json:"x"`
		Y decimal `json:"y"`
	}
	shownLandmarks  map[string]shownPoint
	shownAttributes struct {
		Smile    *decimal       `json:"smile,omitempty"`
		HeadPose *shownPose     `json:"headPose,omitempty"`
		Gender   string         `json:"gender,omitempty"`
		Age      *decimal       `json:"age,omitempty"`
		Emotion  *shownEmotion  `json:"emotion,omitempty"`
		Blur     *shownBlur     `json:"blur,omitempty"`
		Exposure *shownExposure `json:"exposure,omitempty"`
		Noise    *shownNoise    `json:"noise,omitempty"`
	}
	shownPose struct {
		Pitch decimal `json:"pitch"`
		Roll  decimal `json:"roll"`
		Yaw   decimal `json:"yaw"`
	}
	shownEmotion struct {
		Anger     decimal `json:"anger"`
		Contempt  decimal `json:"contempt"`
		Disgust   decimal `json:"disgust"`
		Fear      decimal `json:"fear"`
		Happiness decimal `json:"happiness"`
		Neutral   decimal `json:"neutral"`
		Sadness   decimal `json:"sadness"`
		Surprise  decimal `json:"surprise"`
	}
	shownBlur struct {
		Level string  `json:"blurLevel"`
		Value decimal `json:"value"`
	}
	shownExposure struct {
		Level string  `json:"exposureLevel"`
		Value decimal `json:"value"`
	}
	shownNoise struct {
		Level string  `json:"noiseLevel"`
		Value decimal `json:"value"`
	}
)

// decimal is a number with at most three decimals.
type decimal float64

// MarshalJSON implements json.Marshaler.
func (d decimal) MarshalJSON() ([]byte, error) {
	r := math.Round(float64(d)*1000) / 1000
	return strconv.AppendFloat(nil, r+0, 'f', -1, 64), nil // -0 becomes 0
}

// describe tells of a face what was asked for.
func describe(e Engine, f *face.Face, q *query) (shownFace, error) {
	r := f.Rectangle
	out := shownFace{Rectangle: shownRectangle{Top: r.Top, Left: r.Left, Width: r.Width, Height: r.Height}}
	if q.tellModel {
		out.Recognition = q.recognition
	}
	if q.landmarks {
		out.Landmarks = landmarks(&f.Landmarks)
	}
	if q.attributes == nil {
		return out, nil
	}
	out.Attributes = &shownAttributes{}
	return out, attribute(e, f, q, out.Attributes)
}

// attribute fills in the attributes that were asked for.
func attribute(e Engine, f *face.Face, q *query, a *shownAttributes) error {
	asked := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(q.attributes, n) })
	}
	if asked("age", "gender") {
		p, err := e.Describe(f)
		if err != nil {
			return err
		}
		if asked("age") {
			a.Age = ptr(decimal(p.Age))
		}
		if asked("gender") {
			if a.Gender = "female"; p.Male > 0.5 {
				a.Gender = "male"
			}
		}
	}
	if asked("emotion", "smile") {
		m, err := e.Emotion(f)
		if err != nil {
			return err
		}
		if asked("emotion") {
			a.Emotion = &shownEmotion{
				decimal(m.Anger), decimal(m.Contempt), decimal(m.Disgust), decimal(m.Fear), decimal(m.Happiness), decimal(m.Neutral), decimal(m.Sadness), decimal(m.Surprise),
			}
		}
		if asked("smile") {
			a.Smile = ptr(decimal(m.Happiness))
		}
	}
	if asked("headPose") {
		a.HeadPose = &shownPose{Pitch: decimal(f.Pose.Pitch), Roll: decimal(f.Pose.Roll), Yaw: decimal(f.Pose.Yaw)}
	}
	if asked("blur") {
		a.Blur = &shownBlur{level(f.Quality.Blur, 0.25, 0.75, "Low", "Medium", "High"), decimal(f.Quality.Blur)}
	}
	if asked("exposure") {
		a.Exposure = &shownExposure{level(f.Quality.Exposure, 0.25, 0.75, "UnderExposure", "GoodExposure", "OverExposure"), decimal(f.Quality.Exposure)}
	}
	if asked("noise") {
		a.Noise = &shownNoise{level(f.Quality.Noise, 0.3, 0.7, "Low", "Medium", "High"), decimal(f.Quality.Noise)}
	}
	return nil
}

func ptr[T any](v T) *T { return &v }

// level names a value by two bounds.
func level(v, low, high float64, names ...string) string {
	switch {
	case v < low:
		return names[0]
	case v < high:
		return names[1]
	}
	return names[2]
}

func landmarks(l *face.Landmarks) *shownLandmarks {
	out := shownLandmarks{}
	for name, p := range map[string]face.Point{
		"pupilLeft": l.PupilLeft, "pupilRight": l.PupilRight, "noseTip": l.NoseTip, "mouthLeft": l.MouthLeft, "mouthRight": l.MouthRight,
		"eyebrowLeftOuter": l.EyebrowLeftOuter, "eyebrowLeftInner": l.EyebrowLeftInner, "eyeLeftOuter": l.EyeLeftOuter, "eyeLeftTop": l.EyeLeftTop,
		"eyeLeftBottom": l.EyeLeftBottom, "eyeLeftInner": l.EyeLeftInner, "eyebrowRightInner": l.EyebrowRightInner, "eyebrowRightOuter": l.EyebrowRightOuter,
		"eyeRightInner": l.EyeRightInner, "eyeRightTop": l.EyeRightTop, "eyeRightBottom": l.EyeRightBottom, "eyeRightOuter": l.EyeRightOuter,
		"noseRootLeft": l.NoseRootLeft, "noseRootRight": l.NoseRootRight, "noseLeftAlarTop": l.NoseLeftAlarTop, "noseRightAlarTop": l.NoseRightAlarTop,
		"noseLeftAlarOutTip": l.NoseLeftAlarOutTip, "noseRightAlarOutTip": l.NoseRightAlarOutTip, "upperLipTop": l.UpperLipTop, "upperLipBottom": l.UpperLipBottom,
		"underLipTop": l.UnderLipTop, "underLipBottom": l.UnderLipBottom,
	} {
		out[name] = shownPoint{decimal(p.X), decimal(p.Y)}
	}
	return &out
}
