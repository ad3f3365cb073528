import time, os, json
from tests.serving.shop import make_shop, sent
from tests.serving.running import *


def test_it(tmp_path):
    t = time.time()
    shop = make_shop(tmp_path / "a")
    print("made", time.time() - t)
    t = time.time()
    o = shop.orders(300)
    with running(shop.settings, tmp_path / "out") as service:
        print("up", time.time() - t)
        t = time.time()
        with service.client() as c:
            print(c.get("/readyz").json())
            rows = sent(o)
            told = [c.post(PREDICT, json=row).json() for row in rows]
            print((time.time() - t) / 300)
            print(told[0])
            s = shop.scored(o)["prediction"].to_list()
            print(sum(a["prediction"] == b for a, b in zip(told, s)), len(s))
            r = c.post(PREDICT, json=rows[:2], params={"features": "true", "explain": "true"})
            print(json.dumps(r.json(), indent=1))
            print(shop.features(o)[:2].to_dicts())
        t = time.time()
    print(time.time() - t)
    print(service.told())
    print(shop.workspace.lake.scan("served/predictions").collect())
    import shutil

    shutil.rmtree("/tmp/h5-shop", ignore_errors=True)
    shutil.copytree(tmp_path / "a", "/tmp/h5-shop", dirs_exist_ok=True)
