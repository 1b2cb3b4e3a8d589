"""Faces with azure-cognitiveservices-vision-face, as it is: client.py ENDPOINT PHOTO; KEY and REFUSED (keys, by commas) may be in the environment."""
import json
import os
import sys

from azure.cognitiveservices.vision.face import FaceClient
from azure.cognitiveservices.vision.face.models import APIErrorException
from msrest.authentication import CognitiveServicesCredentials

endpoint, photo = sys.argv[1:]
client = FaceClient(endpoint, CognitiveServicesCredentials(os.environ.get("KEY", "none")))


def picture():
    return open(photo, "rb")


faces = client.face.detect_with_stream(picture(), return_face_attributes=["age", "gender", "emotion"], return_face_landmarks=True)
again = client.face.detect_with_stream(picture(), recognition_model="recognition_01")
out = {"faces": len(faces), "age": 10 < faces[0].face_attributes.age < 60, "tip": faces[0].face_landmarks.nose_tip.x > faces[0].face_rectangle.left}
out["same"] = client.face.verify_face_to_face(faces[0].face_id, again[0].face_id).is_identical
out["other"] = client.face.verify_face_to_face(faces[0].face_id, again[1].face_id).is_identical
client.large_person_group.create("py", name="People", recognition_model="recognition_01")
persons = []
for i, f in enumerate(faces):
    r = f.face_rectangle
    p = client.large_person_group_person.create("py", name="person %d" % i)
    client.large_person_group_person.add_face_from_stream("py", p.person_id, picture(), target_face=[r.left, r.top, r.width, r.height])
    persons.append(p.person_id)
client.large_person_group.train("py")
status = client.large_person_group.get_training_status("py")
out["training"] = str(getattr(status.status, "value", status.status))
found = client.face.identify([f.face_id for f in again], large_person_group_id="py")
out["identified"] = all(len(f.candidates) == 1 and f.candidates[0].person_id == p for f, p in zip(found, persons))
client.large_face_list.create("list", name="Faces")
r = faces[1].face_rectangle
kept = client.large_face_list.add_face_from_stream("list", picture(), target_face=[r.left, r.top, r.width, r.height])
client.large_face_list.train("list")
similar = client.face.find_similar(again[1].face_id, large_face_list_id="list")
out["similar"] = [s.persisted_face_id for s in similar] == [kept.persisted_face_id]
client.large_person_group.delete("py")
try:
    client.large_person_group.get("py")
except APIErrorException as e:
    out["gone"] = e.error.error.code
refused = []
for key in filter(None, os.environ.get("REFUSED", "").split(",")):
    try:
        FaceClient(endpoint, CognitiveServicesCredentials(key)).face.detect_with_stream(picture())
        refused.append(200)
    except APIErrorException as e:
        refused.append(e.response.status_code)
if refused:
    out["refused"] = refused
print(json.dumps(out))
