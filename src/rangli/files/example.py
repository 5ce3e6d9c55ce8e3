"""An example world: shops in Chinese cities, their regulars, who brought whom, and a month of orders; the same for the same seed.

It is drawn from integer weights. The only fractions are inside the lognormal law of tickets, and what comes out of it is cut to
whole fen before anything is done with it. Shops and people are invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path
from typing import BinaryIO, Final, Literal, NamedTuple, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from rangli.errors import FileRefused
from rangli.money import FEN_PER_YUAN, mul_div, print_percent, split

Ints = NDArray[np.int64]
Format = Literal["csv", "parquet"]

FIRST_DAY: Final = date(2026, 1, 5)
"""A Monday."""
CONCESSION_BP: Final = (600, 2000)
"""From 6 % to 20 %: inside the range of every source that leaves it to the merchant."""
CONCESSION_STEP_BP: Final = 50
TICKET_YUAN: Final = 4
"""Median ticket per pay level."""
TICKET_SIGMA: Final = Fraction(3, 5)
LEVEL_MAX: Final = 20
CHUNK_ORDERS: Final = 131_072

CITIES: Final = """
华东 上海市 上海市 100 黄浦 徐汇 静安 长宁 杨浦 闵行 虹口
华东 江苏省 南京市 50 玄武 秦淮 鼓楼 建邺 江宁 栖霞
华东 江苏省 苏州市 50 姑苏 吴中 相城 吴江 虎丘
华东 江苏省 无锡市 25 梁溪 滨湖 惠山 锡山
华东 浙江省 杭州市 70 上城 拱墅 西湖 滨江 余杭 萧山
华东 浙江省 宁波市 30 海曙 江北 鄞州 镇海 北仑
华东 浙江省 温州市 20 鹿城 龙湾 瓯海
华东 安徽省 合肥市 30 蜀山 庐阳 包河 瑶海
华东 福建省 福州市 25 鼓楼 台江 仓山 晋安
华东 福建省 厦门市 25 思明 湖里 集美 海沧
华东 江西省 南昌市 18 东湖 西湖 青云谱 红谷滩
华东 山东省 济南市 25 历下 市中 槐荫 天桥 历城
华东 山东省 青岛市 30 市南 市北 李沧 崂山 黄岛
华南 广东省 广州市 90 越秀 天河 海珠 荔湾 白云 番禺
华南 广东省 深圳市 90 福田 罗湖 南山 宝安 龙岗 龙华
华南 广东省 佛山市 25 禅城 南海 顺德
华南 广东省 珠海市 12 香洲 斗门 金湾
华南 广西壮族自治区 南宁市 18 青秀 兴宁 西乡塘 江南
华南 海南省 海口市 10 龙华 美兰 秀英 琼山
华中 湖北省 武汉市 55 江岸 江汉 武昌 洪山 汉阳 青山
华中 湖南省 长沙市 40 芙蓉 天心 岳麓 开福 雨花
华中 河南省 郑州市 40 金水 二七 中原 惠济
华北 北京市 北京市 100 东城 西城 朝阳 海淀 丰台 通州
华北 天津市 天津市 35 和平 河西 南开 河东 河北
华北 河北省 石家庄市 18 长安 桥西 新华 裕华
华北 山西省 太原市 15 小店 迎泽 杏花岭 万柏林
东北 辽宁省 沈阳市 25 和平 沈河 皇姑 铁西 大东
东北 辽宁省 大连市 18 中山 西岗 沙河口 甘井子
东北 黑龙江省 哈尔滨市 18 道里 南岗 道外 香坊
西南 四川省 成都市 75 锦江 青羊 武侯 成华 金牛
西南 重庆市 重庆市 60 渝中 江北 南岸 沙坪坝 渝北
西南 云南省 昆明市 20 五华 盘龙 官渡 西山
西南 贵州省 贵阳市 15 南明 云岩 观山湖
西北 陕西省 西安市 45 碑林 雁塔 莲湖 未央 新城
西北 甘肃省 兰州市 10 城关 七里河 安宁
"""
"""Great region, province, city, weight, districts."""

KINDS: Final = """
包子铺 2 12
小吃店 3 14
便利店 3 14
奶茶店 4 12
水果店 5 8
面馆 5 16
快餐店 5 12
药店 6 4
烘焙坊 6 6
咖啡馆 7 8
超市 8 10
川菜馆 9 9
美发店 10 5
烧烤店 11 7
火锅店 13 8
烤鱼馆 14 4
日料店 17 3
海鲜酒楼 19 2
"""
"""Kind of shop, its usual pay level, weight."""

BRANDS: Final = """
老王 阿婆 福满 鑫源 好味 一品 江南 小城 百家 四季 金牛 云上 望湖 半亩 同庆 德顺 和记 陈记 张妈 李家 乡里 巷口 得月 醉春
青禾 山海 南风 北巷 大碗 喜来 顺兴 万家 晨光 暖心 拾味 石桥 东篱 竹里 锦绣 聚福
"""
SURNAMES: Final = """
王 李 张 刘 陈 杨 黄 赵 周 吴 徐 孙 马 朱 胡 郭 何 高 林 罗 郑 梁 谢 宋 唐 许 韩 冯 邓 曹
"""
GIVEN: Final = """
伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀英 霞 平 刚 桂英 志强 建国 晓明 海燕 子涵 雨桐 浩然 欣怡 梓轩 思远
"""

HOURS: Final = (2, 1, 0, 0, 0, 1, 4, 14, 16, 10, 14, 50, 64, 30, 14, 14, 16, 44, 66, 56, 34, 20, 10, 4)
"""Weight of each hour: breakfast, lunch, dinner."""
WEEK: Final = (13, 13, 13, 13, 16, 18, 17)
"""Weight of each day from Monday on."""
HABITS: Final = (45, 20, 12, 8, 12, 3)
"""Of a hundred orders: at each of four favourite shops, elsewhere in one's city, anywhere."""
FAVOURITES: Final = 4
BOUND_PERCENT: Final = 60
"""Consumers bound for ever to a referrer; half of these to the shop they first came to."""
RECRUITED_PERCENT: Final = 70
AGENT_PERCENT: Final = {"district": 60, "city": 70, "province": 50, "region": 50}
"""Places of each rank that have an agent."""

README: Final = """Rangli 示例数据 / Rangli example data
=====================================

{orders} 笔订单,{shops} 家店,{consumers} 位消费者,{days} 天,种子 {seed}。店名和人名都是编造的。
{orders} orders, {shops} shops, {consumers} consumers, {days} days, seed {seed}. Shops and people are invented.

orders.{suffix}
  order_id         订单号                            order id
  paid_at          付款时间(北京时间)              when it was paid (Beijing time)
  merchant         商家                              the shop
  consumer         消费者                            who paid
  amount           金额,元,两位小数                yuan, two decimals
  concession       商家让利比例                      share that the merchant gives up
  referrer         直推:永久绑定该消费者的人        whoever bound this consumer for ever
                   (商家写作 merchant:店名)        (a shop is written merchant:<name>)
  referrer2        间推:直推的直推                  the referrer's referrer
  recruiter        招商:招来该商家的人              who brought the shop
  agent_district   区代                              agent of the district
  agent_city       市代                              agent of the city
  agent_province   省代                              agent of the province
  agent_region     大区代                            agent of the great region
  空白表示没有。                                     Empty is none.

shops.csv
  merchant, kind, region, province, city, district, pay_level (1-20), concession, recruiter, agent_*
"""

_PARTIES: Final = ("referrer", "referrer2", "recruiter", *(f"agent_{rank}" for rank in AGENT_PERCENT))


class Shops(NamedTuple):
    """The shops, those of one city beside each other."""

    merchant: list[str]
    kind: list[str]
    places: dict[str, list[str]]
    """Per rank (district, city, province, region) the place of each shop, written in full."""
    level: Ints
    concession_bp: Ints
    recruiter: list[str | None]
    agents: dict[str, list[str | None]]
    """Per rank the agent of each shop's place."""
    bounds: Ints
    """(shops + 1,) Shop i is drawn by the numbers bounds[i] .. bounds[i + 1] - 1."""
    city_low: Ints
    """(shops,) The lowest number that draws a shop of the same city."""
    city_high: Ints
    """(shops,) One above the highest."""

    def drawn(self, number: Ints) -> Ints:
        """The shops that these numbers draw."""
        return _places_of(self.bounds, number)


class Consumers(NamedTuple):
    """The consumers; a code of a referrer is a consumer's number, or the number of consumers plus a shop's, or -1."""

    name: list[str]
    bounds: Ints
    """Consumer i is drawn by the numbers bounds[i] .. bounds[i + 1] - 1."""
    favourites: Ints
    """(consumers, FAVOURITES) shops, all in one city."""
    referrer: Ints
    referrer2: Ints


def write_example(
    out: Path,
    orders: int,
    shops: int,
    seed: int,
    *,
    concession_bp: tuple[int, int] = CONCESSION_BP,
    days: int = 28,
    suffix: Format = "csv",
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Writes orders.csv (or .parquet), shops.csv and README.txt into ``out`` and answers the path of the orders.

    concession_bp : least and greatest concession that a shop chooses
    progress      : called with the number of orders just written

    Raises FileRefused when there are orders in ``out`` that are no example.
    """
    assert orders >= 0
    assert min(shops, days) >= 1
    path, readme = out / f"orders.{suffix}", out / "README.txt"
    if path.exists() and not (readme.exists() and readme.read_text("utf-8").startswith(README.splitlines()[0])):
        raise FileRefused(
            f"{path} 已经存在,而且不是示例;请另选目录", f"{path} is there already and is no example; choose another directory"
        )
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    the_shops = _draw_shops(rng, shops, concession_bp)
    the_consumers = _draw_consumers(rng, the_shops, max(20, orders >> 4))
    _write_shops(out / "shops.csv", the_shops)
    count = len(the_consumers.name)
    readme.write_text(README.format(orders=orders, shops=shops, consumers=count, days=days, seed=seed, suffix=suffix), "utf-8")
    with _Writer(path, suffix) as writer:
        for table in _draw_orders(rng, the_shops, the_consumers, split(orders, list(islice(cycle(WEEK), days)))):
            writer.write(table)
            if progress is not None:
                progress(len(table))
    return path


# ---------------------------------------------------------------- drawing


def _bounds(weights: Ints | tuple[int, ...]) -> Ints:
    """0, and the running totals of the weights."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(weights, dtype=np.int64)])


def _places_of(bounds: Ints, number: Ints) -> Ints:
    """For each number 0 .. bounds[-1] - 1 the place that it falls into."""
    return np.searchsorted(bounds, number, side="right").astype(np.int64) - 1


def _drawn(rng: np.random.Generator, weights: Ints | tuple[int, ...], count: int) -> Ints:
    """``count`` places, each as likely as its weight."""
    bounds = _bounds(weights)
    return _places_of(bounds, rng.integers(0, bounds[-1], count))


def _lognormal(rng: np.random.Generator, median: Ints, sigma: Fraction) -> Ints:
    """Lognormal draws around each median, to the nearest whole number and at least 1."""
    factor = rng.lognormal(0, sigma, len(median))  # type: ignore[call-overload]  # NumPy takes any real number
    halves: Ints = np.multiply(factor, 2 * median).astype(np.int64)
    nearest: Ints = np.maximum((halves + 1) >> 1, 1)
    return nearest


def _people(rng: np.random.Generator, count: int) -> list[str]:
    """Names of people; they repeat, as names do."""
    surnames, given = SURNAMES.split(), GIVEN.split()
    first, last = rng.integers(0, len(surnames), count).tolist(), rng.integers(0, len(given), count).tolist()
    return [surnames[s] + given[g] for s, g in zip(first, last, strict=True)]


def _draw_shops(rng: np.random.Generator, count: int, concession_bp: tuple[int, int]) -> Shops:
    """The shops: more of them in large cities, few very popular, most seldom visited."""
    cities = [line.split() for line in CITIES.strip().splitlines()]
    kinds = [line.split() for line in KINDS.strip().splitlines()]
    city = np.sort(_drawn(rng, tuple(int(weight) for _, _, _, weight, *_ in cities), count))
    kind = _drawn(rng, tuple(int(weight) for _, _, weight in kinds), count)
    level = np.array([int(usual) for _, usual, _ in kinds])[kind] + rng.integers(-2, 3, count)
    brands = BRANDS.split()
    brand = rng.integers(0, len(brands), count).tolist()
    block = rng.integers(0, 2**31, count).tolist()

    merchant: list[str] = []
    places: dict[str, list[str]] = {rank: [] for rank in AGENT_PERCENT}
    namesakes: dict[str, int] = {}
    for c, k, b, d in zip(city.tolist(), kind.tolist(), brand, block, strict=True):
        region, province, name, _, *districts = cities[c]
        district = districts[mul_div(d, len(districts), 2**31)]
        shop = f"{brands[b]}{kinds[k][0]}({name.removesuffix('市')}{district}"
        namesakes[shop] = namesakes.get(shop, 0) + 1
        merchant.append(f"{shop}店)" if namesakes[shop] == 1 else f"{shop}{namesakes[shop]}店)")
        for rank, place in zip(AGENT_PERCENT, (f"{name}{district}区", name, province, f"{region}大区"), strict=True):
            places[rank].append(place)

    rank = rng.permutation(count).tolist()
    bounds = _bounds(np.array([mul_div(10**9, 1, r + 5) for r in rank]))
    steps = np.arange(concession_bp[0], concession_bp[1] + 1, CONCESSION_STEP_BP)
    recruiters = [f"{name}{i}" for i, name in enumerate(_people(rng, 1 + (count >> 5)), 1)]
    recruiter = [recruiters[i] for i in rng.integers(0, len(recruiters), count)]
    recruited = (rng.integers(0, 100, count) < RECRUITED_PERCENT).tolist()
    return Shops(
        merchant,
        [kinds[k][0] for k in kind.tolist()],
        places,
        np.clip(level, 1, LEVEL_MAX),
        steps[rng.integers(0, len(steps), count)],
        [name if is_so else None for name, is_so in zip(recruiter, recruited, strict=True)],
        {rank: _agents(rng, places[rank], percent) for rank, percent in AGENT_PERCENT.items()},
        bounds,
        bounds[np.searchsorted(city, city, side="left")],
        bounds[np.searchsorted(city, city, side="right")],
    )


def _agents(rng: np.random.Generator, places: list[str], percent: int) -> list[str | None]:
    """The agent of each place; some places have none."""
    known = list(dict.fromkeys(places))
    there = (rng.integers(0, 100, len(known)) < percent).tolist()
    agent = {
        place: f"{place}·{name}" if is_so else None
        for place, name, is_so in zip(known, _people(rng, len(known)), there, strict=True)
    }
    return [agent[place] for place in places]


def _draw_consumers(rng: np.random.Generator, shops: Shops, count: int) -> Consumers:
    """The consumers: some come often and most now and then; their favourites are in the city of their first shop."""
    name = [f"{person}{i}" for i, person in enumerate(_people(rng, count), 1)]
    bounds = _bounds(_lognormal(rng, np.full(count, 1000), Fraction(1)))
    first = shops.drawn(rng.integers(0, shops.bounds[-1], count))
    others = [shops.drawn(rng.integers(shops.city_low[first], shops.city_high[first])) for _ in range(FAVOURITES - 1)]
    number = np.arange(count)
    earlier = np.where(number == 0, -1, rng.integers(0, np.maximum(number, 1)))
    by_shop = rng.integers(0, 2, count) == 1
    is_bound = rng.integers(0, 100, count) < BOUND_PERCENT
    referrer = np.where(is_bound, np.where(by_shop, count + first, earlier), -1)
    is_person = (referrer >= 0) & (referrer < count)
    referrer2 = np.where(is_person, referrer[np.where(is_person, referrer, 0)], -1)
    return Consumers(name, bounds, np.stack([first, *others], axis=1), referrer, referrer2)


# ---------------------------------------------------------------- orders


def _draw_orders(rng: np.random.Generator, shops: Shops, consumers: Consumers, per_day: list[int]) -> Iterator[pa.Table]:
    """The orders of each day, in order of time."""
    texts = {
        "merchant": pa.array(shops.merchant),
        "concession": pa.array([print_percent(bp) for bp in shops.concession_bp.tolist()]),
        "recruiter": pa.array(shops.recruiter, pa.string()),
        **{f"agent_{rank}": pa.array(agents, pa.string()) for rank, agents in shops.agents.items()},
    }
    consumer_names = pa.array(consumers.name)
    referrers = pa.concat_arrays([consumer_names, pa.array([f"merchant:{name}" for name in shops.merchant])])
    for number, count in enumerate(per_day):
        day = FIRST_DAY + timedelta(days=number)
        second = np.sort(_drawn(rng, HOURS, count) * 3600 + rng.integers(0, 3600, count))
        for start in range(0, count, CHUNK_ORDERS):
            seconds = second[start : start + CHUNK_ORDERS]
            consumer = _places_of(consumers.bounds, rng.integers(0, consumers.bounds[-1], len(seconds)))
            shop = _draw_visits(rng, shops, consumers, consumer)
            fen = _lognormal(rng, shops.level[shop] * (TICKET_YUAN * FEN_PER_YUAN), TICKET_SIGMA)
            by_shop = {name: column.take(pa.array(shop)) for name, column in texts.items()}
            columns = {
                "order_id": _order_ids(day, start, len(seconds)),
                "paid_at": pa.array(np.datetime64(day, "s") + seconds.astype("m8[s]")).cast(pa.string()),
                "merchant": by_shop["merchant"],
                "consumer": consumer_names.take(pa.array(consumer)),
                "amount": yuan_texts(fen),
                "concession": by_shop["concession"],
                "referrer": _taken(referrers, consumers.referrer[consumer]),
                "referrer2": _taken(referrers, consumers.referrer2[consumer]),
            }
            yield pa.table(columns | by_shop)


def _draw_visits(rng: np.random.Generator, shops: Shops, consumers: Consumers, consumer: Ints) -> Ints:
    """The shop that each consumer goes to this time."""
    habit = _drawn(rng, HABITS, len(consumer))
    shop: Ints = consumers.favourites[consumer, np.minimum(habit, FAVOURITES - 1)]
    in_city, anywhere = np.flatnonzero(habit == FAVOURITES), np.flatnonzero(habit > FAVOURITES)
    home = consumers.favourites[consumer[in_city], 0]
    shop[in_city] = shops.drawn(rng.integers(shops.city_low[home], shops.city_high[home]))
    shop[anywhere] = shops.drawn(rng.integers(0, shops.bounds[-1], len(anywhere)))
    return shop


def _order_ids(day: date, start: int, count: int) -> pa.StringArray:
    """Ids such as 2026010500000001."""
    first = int(day.strftime("%Y%m%d")) * 10**8 + start + 1
    return pa.array(np.arange(first, first + count)).cast(pa.string())


def yuan_texts(fen: Ints) -> pa.StringArray:
    """``money.print_yuan`` of each amount: Arrow writes the fen as a decimal of two places, so that nothing is divided."""
    words = np.zeros((len(fen), 2), np.int64)
    words[:, 0] = fen
    words[:, 1] = np.where(fen < 0, -1, 0)
    return pa.Array.from_buffers(pa.decimal128(20, 2), len(fen), [None, pa.py_buffer(words)]).cast(pa.string())


def _taken(names: pa.StringArray, codes: Ints) -> pa.StringArray:
    """The names with these codes; none for -1."""
    return names.take(pa.array(codes, mask=codes < 0))


# ---------------------------------------------------------------- writing


_SCHEMA: Final = pa.schema(
    [(name, pa.string()) for name in ("order_id", "paid_at", "merchant", "consumer", "amount", "concession", *_PARTIES)]
)


class _Writer:
    """Writes tables of orders to a file, which is whole once the block is left."""

    def __init__(self, path: Path, suffix: Format) -> None:
        self._file = path.open("wb")
        self._writer = parquet.ParquetWriter(self._file, _SCHEMA) if suffix == "parquet" else _csv_writer(self._file, _SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._file.close()

    def write(self, table: pa.Table) -> None:
        """Appends these orders."""
        self._writer.write_table(table.select(_SCHEMA.names))


def _csv_writer(file: BinaryIO, schema: pa.Schema) -> csv.CSVWriter:
    """A writer of plain CSV; no name of ours holds a comma, a quote or a line end."""
    file.write((",".join(schema.names) + "\n").encode())
    return csv.CSVWriter(
        file, schema, write_options=csv.WriteOptions(include_header=False, quoting_style="none", batch_size=16_384)
    )


def _write_shops(path: Path, shops: Shops) -> None:
    """One row for each shop."""
    columns: dict[str, list[str] | list[str | None]] = {
        "merchant": shops.merchant,
        "kind": shops.kind,
        **{rank: shops.places[rank] for rank in reversed(AGENT_PERCENT)},
        "pay_level": [str(level) for level in shops.level.tolist()],
        "concession": [print_percent(bp) for bp in shops.concession_bp.tolist()],
        "recruiter": shops.recruiter,
        **{f"agent_{rank}": agents for rank, agents in shops.agents.items()},
    }
    schema = pa.schema([(name, pa.string()) for name in columns])
    with path.open("wb") as file, _csv_writer(file, schema) as writer:
        writer.write_table(pa.table(columns, schema=schema))
