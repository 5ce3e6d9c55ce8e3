/* The kernels' work once more in C, to measure against: the same inputs, the same state, the same bytes written.
   Compiled by the benchmark with the machine's cc -O3 -march=native; it is never part of the product.

   It works on the engine's own arrays, so records and columns below are those of rangli.engine.state and .out. It holds all of the
   shares, and of the rest what the three plans measured need: packets that count one's own orders, members that exit, points released as
   vouchers. */
#include <stdint.h>
#include <string.h>

typedef int64_t i64;
typedef uint64_t u64;
typedef unsigned __int128 u128;

/* ---------------------------------------------------------------- arithmetic */

static inline i64 div(i64 a, i64 b) { return (i64)((u64)a / (u64)b); }

/* The processor's own 128 by 64 division where there is one: the compiler itself would call a slower routine. */
static inline i64 mul_div(i64 a, i64 b, i64 c) {
    u128 wide = (u128)(u64)a * (u64)b;
    u64 high = (u64)(wide >> 64), low = (u64)wide;
    if (high >= (u64)c) return -1;
#if defined(__x86_64__)
    u64 quotient, rest;
    __asm__("divq %4" : "=a"(quotient), "=d"(rest) : "a"(low), "d"(high), "r"((u64)c) : "cc");
#else
    u64 quotient = (u64)(wide / (u64)c);
#endif
    return (i64)quotient >= 0 ? (i64)quotient : -1;
}

static inline int mul_less(i64 a, i64 b, i64 c, i64 d) { return (u128)(u64)a * (u64)b < (u128)(u64)c * (u64)d; }
static inline i64 min(i64 a, i64 b) { return a < b ? a : b; }
static inline i64 max(i64 a, i64 b) { return a > b ? a : b; }

/* ---------------------------------------------------------------- draws */

static inline u64 mix(u64 z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}
static const u64 GOLDEN = 0x9E3779B97F4A7C15ull;

static i64 uniform(u64 *seed, i64 n) {
    if (n <= (i64)1 << 31) {
        u64 p = (mix(*seed += GOLDEN) >> 32) * (u64)n;
        if ((p & 0xFFFFFFFF) < (u64)n) {
            u64 floor = ((u64)1 << 32) % (u64)n;
            while ((p & 0xFFFFFFFF) < floor) p = (mix(*seed += GOLDEN) >> 32) * (u64)n;
        }
        return (i64)(p >> 32);
    }
    u64 mask = (u64)n - 1;
    for (int b = 1; b < 64; b *= 2) mask |= mask >> b;
    u64 x = (mix(*seed += GOLDEN) >> 2) & mask;
    while (x >= (u64)n) x = (mix(*seed += GOLDEN) >> 2) & mask;
    return (i64)x;
}

static int sort_distinct(const i64 *points, i64 count, i64 *cuts) {
    int distinct = 1;
    for (i64 k = 0; k < count; k++) cuts[k] = 0;
    for (i64 k = 0; k < count; k++) {
        i64 rank = 0, point = points[k];
        for (i64 i = 0; i < count; i++) rank += points[i] < point;
        cuts[rank] = point;
    }
    for (i64 k = 0; k < count; k++) distinct &= cuts[k] != 0;
    return distinct;
}

static void cut_points(u64 seed, i64 whole, i64 count, i64 *points, i64 *cuts) {
    i64 first = whole - count;
    int certain = whole <= (i64)1 << 31;
    if (certain)
        for (i64 k = 0; k < count; k++) {
            u64 n = (u64)(first + k), p = (mix(seed + (u64)(k + 1) * GOLDEN) >> 32) * n;
            certain &= (p & 0xFFFFFFFF) >= n;
            points[k] = (i64)(p >> 32) + 1;
        }
    if (!certain)
        for (i64 k = 0; k < count; k++) points[k] = uniform(&seed, first + k) + 1;
    if (!sort_distinct(points, count, cuts)) {
        for (i64 k = 1; k < count; k++) {
            int taken = 0;
            for (i64 i = 0; i < k; i++) taken |= points[i] == points[k];
            if (taken) points[k] = first + k;
        }
        sort_distinct(points, count, cuts);
    }
}

/* Checksum of the cut points of n cuts. */
i64 draw_run(i64 n, i64 whole, i64 count) {
    i64 points[128], cuts[128];
    u64 sum = 0;
    for (i64 i = 0; i < n; i++) {
        cut_points((u64)i * 7919, whole + (i & 1023), count, points, cuts);
        for (i64 k = 0; k < count; k++) sum = sum * 31 + (u64)cuts[k];
    }
    return (i64)sum;
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND                                                                                                                      \
    do {                                                                                                                           \
        v0 += v1; v1 = ROTL(v1, 13) ^ v0; v0 = ROTL(v0, 32); v2 += v3; v3 = ROTL(v3, 16) ^ v2;                                     \
        v0 += v3; v3 = ROTL(v3, 21) ^ v0; v2 += v1; v1 = ROTL(v1, 17) ^ v2; v2 = ROTL(v2, 32);                                     \
    } while (0)

/* SipHash-2-4 of n strings of an Arrow array; `row` says which of the keys each uses. */
void siphash_run(i64 n, const int32_t *offsets, const uint8_t *data, const i64 *row, const i64 *keys, i64 *out) {
    for (i64 s = 0; s < n; s++) {
        const uint8_t *p = data + offsets[s];
        u64 k0 = (u64)keys[2 * row[s]], k1 = (u64)keys[2 * row[s] + 1];
        i64 length = offsets[s + 1] - offsets[s], whole = length & ~(i64)7;
        u64 v0 = k0 ^ 0x736f6d6570736575ull, v1 = k1 ^ 0x646f72616e646f6dull, v2 = k0 ^ 0x6c7967656e657261ull, v3 = k1 ^ 0x7465646279746573ull;
        for (i64 at = 0; at < whole; at += 8) {
            u64 word;
            memcpy(&word, p + at, 8);
            v3 ^= word; ROUND; ROUND; v0 ^= word;
        }
        u64 word = (u64)(length & 255) << 56;
        for (i64 j = whole; j < length; j++) word |= (u64)p[j] << (8 * (j - whole));
        v3 ^= word; ROUND; ROUND; v0 ^= word;
        v2 ^= 255;
        ROUND; ROUND; ROUND; ROUND;
        out[s] = (i64)(v0 ^ v1 ^ v2 ^ v3);
    }
}

/* ---------------------------------------------------------------- records, as the engine has them */

enum { PARTIES = 9, POCKETS = 8, LINES_MAX = 199 };
enum { CONSUMER, MERCHANT, PACKETS = 9, POOL_PARTY, DIVIDEND_PARTY, PLATFORM, FUND_PARTY };
enum { WALLET, POINTS, VOUCHERS, CONCESSION, INCOME };
enum { SURPLUS = 0, POOL = 2 * 8, DIVIDEND = 3 * 8, RESERVE = 4 * 8, POINT_ISSUER = 5 * 8, VOUCHER_ISSUER = 6 * 8, FIRST_FUND = 7 };
enum { CODE_PLATFORM, CODE_POT, CODE_POOL, CODE_DIVIDEND, CODE_MERCHANT = 11, CODE_FUND = 13, CODE_BACKING, CODE_PACKET, CODE_BONUS, CODE_MINT, CODE_BURN, CODE_EXIT = 20, CODE_RELEASE = 22, CODE_VOUCHER, CODE_ZEROED = 26 };
enum { WRITTEN, CLOSED, STOPPED };
enum { DONE, OUT_FULL, EXITS_LEFT, QUEUE_FULL };
enum { SETTLED, AMOUNT_OUT_OF_RANGE, CONCESSION_OUT_OF_RANGE, VOUCHERS_OVER_LIMIT, VOUCHERS_SHORT, LIMIT_REACHED };
static const i64 BP = 10000, MICRO_PER_FEN = 10000, AMOUNT_FEN_MAX = 10000000000, MICRO_MAX = (i64)1 << 60;

typedef struct {
    i64 n;
    const i64 *paid, *bp, *voucher, *key;
    const int32_t *party;
} orders;

typedef struct {
    int32_t *order, *source, *destination;
    i64 *amount;
    int8_t *code;
    i64 room, (*closed)[6];
    uint8_t *status;
    i64 *count;
} out;

enum { PARTY, OTHERWISE, CODE, CONSTANT, SLOPE, LOW, HIGH, DEN, LESS, AS_VOUCHERS, COLUMNS };
typedef i64 line[COLUMNS];

typedef struct {
    i64 bp_min, bp_max, offset_bp, shares;
    const line *share;
    i64 bonuses;
    const i64 (*bonus)[3];
} plan;

enum { ORDERS, PAID_FEN, RETURNED_MICRO, PACKETS_SENT };
typedef struct {
    i64 *tally, *bonus_paid, *vouchers, *taken;
} holdings;

static inline i64 put(out t, i64 n, i64 order, i64 source, i64 destination, i64 amount, i64 code) {
    if (!amount) return n;
    t.order[n] = (int32_t)order;
    t.source[n] = (int32_t)source;
    t.destination[n] = (int32_t)destination;
    t.amount[n] = amount;
    t.code[n] = (int8_t)code;
    return n + 1;
}

/* Inside, records are passed by value: a byte stored through `code` could otherwise be one of their pointers, to be read anew. */

/* ---------------------------------------------------------------- shares */

static inline i64 linear(const i64 *line, i64 paid, i64 bp) {
    i64 rate = line[CONSTANT] + line[SLOPE] * min(max(bp, line[LOW]), line[HIGH]);
    return line[DEN] == 1 ? paid * rate : div(paid * rate, line[DEN]);
}

typedef struct {
    i64 pot, pool, dividend, vouchers;
} into;

static inline i64 account_of(i64 party, const int32_t *who, i64 pot_account) {
    if (party < PARTIES) return (i64)who[party] * POCKETS + (party == MERCHANT ? INCOME : WALLET);
    if (party == PACKETS) return pot_account;
    if (party == POOL_PARTY) return POOL;
    if (party == DIVIDEND_PARTY) return DIVIDEND;
    return party == PLATFORM ? SURPLUS : (FIRST_FUND + party - FUND_PARTY) * POCKETS;
}

static inline i64 code_instead(i64 party) {
    if (party == PACKETS) return CODE_POT;
    if (party == POOL_PARTY) return CODE_POOL;
    if (party == DIVIDEND_PARTY) return CODE_DIVIDEND;
    return party == MERCHANT ? CODE_MERCHANT : CODE_FUND;
}

static inline i64 pay_shares(const plan *plan, i64 paid, i64 bp, const int32_t *who, i64 pot_account, i64 *taken, i64 order, out t, i64 n, into *into) {
    i64 source = (i64)who[MERCHANT] * POCKETS + CONCESSION, left = paid * bp;
    for (i64 i = 0; i < plan->shares; i++) {
        const i64 *line = plan->share[i];
        i64 amount = linear(line, paid, bp), party = line[PARTY], code = line[CODE];
        if (line[LESS]) {
            for (i64 below = 0; below < i; below++)
                if (line[LESS] >> below & 1) amount -= taken[below];
            amount = max(amount, 0);
        }
        taken[i] = amount;
        if (party < PARTIES && who[party] < 0) {
            taken[i] = 0;
            party = line[OTHERWISE];
            if (party == PLATFORM) continue;
            code = code_instead(party);
        } else if (party == PLATFORM) {
            continue;
        } else if (line[AS_VOUCHERS]) {
            n = put(t, n, order, source, RESERVE, amount, CODE_BACKING);
            n = put(t, n, order, VOUCHER_ISSUER, (i64)who[party] * POCKETS + VOUCHERS, amount, CODE_VOUCHER);
            into->vouchers += amount;
            left -= amount;
            continue;
        }
        n = put(t, n, order, source, account_of(party, who, pot_account), amount, code);
        left -= amount;
        if (party == PACKETS) into->pot += amount;
        else if (party == POOL_PARTY) into->pool += amount;
        else if (party == DIVIDEND_PARTY) into->dividend += amount;
    }
    return put(t, n, order, source, SURPLUS, left, CODE_PLATFORM);
}

/* The share lines of every order, written over and over from the beginning whenever `out` is full. */
i64 shares_run(const plan *plan, const orders *o, i64 pot_account, i64 *taken, const out *to) {
    out t = *to;
    i64 written = 0, total = 0;
    into into = {0, 0, 0, 0};
    for (i64 i = 0; i < o->n; i++) {
        if (written > t.room - LINES_MAX) total += written, written = 0;
        written = pay_shares(plan, o->paid[i], o->bp[i], o->party + i * PARTIES, pot_account, taken, i, t, written, &into);
    }
    t.count[WRITTEN] = written;
    return total + written + into.pot + into.pool + into.dividend + into.vouchers;
}

static inline i64 pay_bonus(const plan *plan, i64 *bonus_paid, const int32_t *who, i64 order, out t, i64 n) {
    for (i64 b = 0; b < plan->bonuses; b++) {
        i64 party = who[plan->bonus[b][0]], once = who[plan->bonus[b][2]];
        if (party >= 0 && !(bonus_paid[once] >> b & 1)) {
            bonus_paid[once] |= (i64)1 << b;
            n = put(t, n, order, SURPLUS, party * POCKETS + WALLET, plan->bonus[b][1], CODE_BONUS);
        }
    }
    return n;
}

/* What every plan refuses. */
static inline i64 refusal(const plan *plan, const holdings *h, const orders *o, i64 i) {
    i64 paid = o->paid[i], bp = o->bp[i], voucher = o->voucher[i];
    if (paid < 1 || paid > AMOUNT_FEN_MAX) return AMOUNT_OUT_OF_RANGE;
    if (bp < plan->bp_min || bp > plan->bp_max) return CONCESSION_OUT_OF_RANGE;
    if (voucher == 0) return SETTLED;
    if (voucher < 0 || voucher > mul_div(paid, plan->offset_bp, BP)) return VOUCHERS_OVER_LIMIT;
    return voucher * MICRO_PER_FEN > h->vouchers[o->party[i * PARTIES + CONSUMER]] ? VOUCHERS_SHORT : SETTLED;
}

/* ---------------------------------------------------------------- packets: weituanbao, all its transfers written */

enum { START, ROOM_LOTS, HEAD, OPEN, POT, POT_ACCOUNT };
enum { LOT_NUMBER, LOT_WALLET, LOT_PAID, LOT_ROOM, LOT_LEFT, PACKET_LOT };
enum { AHEAD = 8 };
typedef i64 queue[6], packet_lot[PACKET_LOT];

typedef struct {
    i64 per_order, exit_packets, exit_received_bp, tiers;
    const i64 *bounds;
} packet_terms;

typedef struct {
    queue *rows;
    packet_lot *lots;
    const i64 *first_of, *tier_row;
    i64 *places, *cuts, *points;
} queues;

static inline queue *queue_of(const packet_terms *p, queues s, const orders *o, i64 i) {
    i64 merchant = o->party[i * PARTIES + MERCHANT], tier = 0;
    const i64 *bounds = p->bounds + s.tier_row[merchant] * p->tiers;
    while (tier < p->tiers && o->paid[i] > bounds[tier]) tier++;
    return s.rows + s.first_of[merchant] + tier;
}

static inline int has_room(i64 *q, queues s) {
    if (q[HEAD] + q[OPEN] < q[ROOM_LOTS]) return 1;
    if (q[HEAD] == 0) return 0;
    memmove(s.lots[q[START]], s.lots[q[START] + q[HEAD]], sizeof(packet_lot) * (size_t)q[OPEN]);
    q[HEAD] = 0;
    return 1;
}

static inline i64 cap_fen(const packet_terms *p, i64 paid) {
    return p->exit_received_bp == BP ? paid : mul_div(paid, p->exit_received_bp, BP);
}

static void write_closed(const packet_terms *p, const i64 *q, queues s, i64 at, out t) {
    i64 *row = t.closed[t.count[CLOSED]++];
    row[0] = s.lots[at][LOT_NUMBER];
    row[1] = s.lots[at][LOT_WALLET];
    row[2] = q[POT_ACCOUNT];
    row[3] = s.lots[at][LOT_PAID];
    row[4] = p->exit_packets - s.lots[at][LOT_LEFT];
    row[5] = cap_fen(p, s.lots[at][LOT_PAID]) - s.lots[at][LOT_ROOM];
}

static void close_lots(const packet_terms *p, i64 *q, queues s, i64 span, out t) {
    i64 first = q[START] + q[HEAD], gone = 0, last = -1;
    for (i64 k = 0; k < span; k++)
        if (!s.lots[first + k][LOT_LEFT] || !s.lots[first + k][LOT_ROOM]) {
            write_closed(p, q, s, first + k, t);
            gone++, last = k;
        }
    if (last >= gone) {
        i64 gap = 0;
        for (i64 k = last; k >= 0; k--) {
            i64 at = first + k;
            if (!s.lots[at][LOT_LEFT] || !s.lots[at][LOT_ROOM]) {
                gap++;
                continue;
            }
            memcpy(s.lots[at + gap], s.lots[at], sizeof(packet_lot));
        }
    }
    q[HEAD] += gone;
    q[OPEN] -= gone;
}

/* Writes one transfer a packet; the fen handed out, and in how many packets. */
static i64 hand_out(const packet_terms *p, i64 *q, queues s, u64 seed, i64 order, out t, i64 n, i64 *sent) {
    i64 first = q[START] + q[HEAD], window = min(q[OPEN], p->per_order), pot = q[POT], *places = s.places, *cuts = s.cuts;
    for (i64 k = 0; k < window; k++) places[k] = first + k;
    i64 issue = div(mul_div(pot, window, p->per_order), MICRO_PER_FEN);
    *sent = 0;
    if (issue == 0) return 0;
    window = min(window, issue);
    cut_points(seed, issue, window - 1, s.points, cuts);
    cuts[window - 1] = issue;
    i64 before = 0, cut_off = 0, source = q[POT_ACCOUNT];
    for (i64 k = 0; k < window; k++) {
        i64 at = places[k], part = cuts[k] - before, gives = min(part, s.lots[at][LOT_ROOM]);
        before = cuts[k];
        cut_off += part - gives;
        s.lots[at][LOT_ROOM] -= gives;
        s.lots[at][LOT_LEFT]--;
        t.amount[n + k] = gives * MICRO_PER_FEN;
        t.destination[n + k] = (int32_t)s.lots[at][LOT_WALLET];
        t.order[n + k] = (int32_t)order;
        t.source[n + k] = (int32_t)source;
        t.code[n + k] = CODE_PACKET;
    }
    if (cut_off)
        for (i64 k = 0; k < window; k++) {
            i64 more = min(cut_off, s.lots[places[k]][LOT_ROOM]);
            s.lots[places[k]][LOT_ROOM] -= more;
            t.amount[n + k] += more * MICRO_PER_FEN;
            cut_off -= more;
        }
    q[POT] = pot - (issue - cut_off) * MICRO_PER_FEN;
    close_lots(p, q, s, places[window - 1] + 1 - first, t);
    *sent = window;
    return issue - cut_off;
}

i64 packets_step(const plan *plan, const packet_terms *p, const holdings *h, const queues *state, const orders *o, i64 start, const out *to) {
    queues s = *state;
    out t = *to;
    i64 room = t.room - LINES_MAX, *tally = h->tally;
    memset(t.count, 0, 3 * sizeof(i64));
    for (i64 i = start; i < o->n; i++) {
        if (t.count[WRITTEN] > room || t.count[CLOSED] > room) {
            t.count[STOPPED] = OUT_FULL;
            return i;
        }
        if (i + AHEAD < o->n) {
            const i64 *next = *queue_of(p, s, o, i + AHEAD), first = next[START] + next[HEAD];
            for (i64 at = first; at <= first + min(next[OPEN], p->per_order); at++) __builtin_prefetch(s.lots[at], 1);
        }
        const int32_t *who = o->party + i * PARTIES;
        i64 paid = o->paid[i], *q = *queue_of(p, s, o, i);
        if (!has_room(q, s)) {
            t.count[STOPPED] = QUEUE_FULL;
            return i;
        }
        i64 status = refusal(plan, h, o, i);
        if (status == SETTLED && q[POT] + paid * o->bp[i] > MICRO_MAX) status = LIMIT_REACHED;
        t.status[i] = (uint8_t)status;
        if (status != SETTLED) continue;

        i64 number = tally[ORDERS]++, n = t.count[WRITTEN], sent;
        into into = {0, 0, 0, 0};
        tally[PAID_FEN] += paid;
        n = pay_shares(plan, paid, o->bp[i], who, q[POT_ACCOUNT], h->taken, i, t, n, &into);
        n = pay_bonus(plan, h->bonus_paid, who, i, t, n);
        q[POT] += into.pot;
        i64 handed = hand_out(p, q, s, (u64)o->key[i], i, t, n, &sent);
        tally[PACKETS_SENT] += sent;
        tally[RETURNED_MICRO] += handed * MICRO_PER_FEN;
        i64 at = q[START] + q[HEAD] + q[OPEN];
        s.lots[at][LOT_NUMBER] = number;
        s.lots[at][LOT_WALLET] = (i64)who[CONSUMER] * POCKETS + WALLET;
        s.lots[at][LOT_PAID] = paid;
        s.lots[at][LOT_ROOM] = cap_fen(p, paid);
        s.lots[at][LOT_LEFT] = p->exit_packets;
        if (s.lots[at][LOT_ROOM]) q[OPEN]++;
        else write_closed(p, q, s, at, t);
        t.count[WRITTEN] = n + sent;
    }
    return o->n;
}

/* ---------------------------------------------------------------- the priced pool: zengzhi with its forced exits */

enum { MEMBER_POINTS, MEMBER_LIMIT, MEMBER_OUT, MEMBER_PLACE, MEMBER_HOLDER, MEMBER_NUMBER, CYCLE_FROM, MEMBER_COLUMNS };
enum { POOL_MICRO, SUPPLY, LAST_POOL, LAST_SUPPLY, HEAP_USED, MEMBERS_USED, EXITS, FIRST_EXIT };

typedef struct {
    i64 mint_bp, pays_bp, exit_bp;
} pool_terms;

typedef struct {
    i64 *totals, (*members)[MEMBER_COLUMNS], *heap;
} pool;

static inline i64 need_of(pool s, i64 m) { return max(s.members[m][MEMBER_LIMIT] - s.members[m][MEMBER_OUT], 0); }

static inline int exits_before(pool s, i64 a, i64 b) {
    i64 need_a = need_of(s, a), need_b = need_of(s, b), points_a = s.members[a][MEMBER_POINTS], points_b = s.members[b][MEMBER_POINTS];
    if (mul_less(need_a, points_b, need_b, points_a)) return 1;
    if (mul_less(need_b, points_a, need_a, points_b)) return 0;
    return s.members[a][MEMBER_NUMBER] < s.members[b][MEMBER_NUMBER];
}

static i64 rise(pool s, i64 place) {
    i64 member = s.heap[place];
    while (place > 0) {
        i64 parent = (place - 1) >> 1;
        if (!exits_before(s, member, s.heap[parent])) break;
        s.heap[place] = s.heap[parent];
        s.members[s.heap[place]][MEMBER_PLACE] = place;
        place = parent;
    }
    s.heap[place] = member;
    s.members[member][MEMBER_PLACE] = place;
    return place;
}

static void sink(pool s, i64 place) {
    i64 member = s.heap[place], used = s.totals[HEAP_USED];
    for (i64 child; (child = 2 * place + 1) < used; place = child) {
        if (child + 1 < used && exits_before(s, s.heap[child + 1], s.heap[child])) child++;
        if (!exits_before(s, s.heap[child], member)) break;
        s.heap[place] = s.heap[child];
        s.members[s.heap[place]][MEMBER_PLACE] = place;
    }
    s.heap[place] = member;
    s.members[member][MEMBER_PLACE] = place;
}

static void place_member(pool s, i64 member) {
    i64 *row = s.members[member], place = row[MEMBER_PLACE];
    if (row[MEMBER_POINTS] == 0) {
        if (place < 0) return;
        i64 last = --s.totals[HEAP_USED];
        row[MEMBER_PLACE] = -1;
        if (place == last) return;
        s.heap[place] = s.heap[last];
        s.members[s.heap[place]][MEMBER_PLACE] = place;
    } else if (place < 0) {
        place = s.totals[HEAP_USED]++;
        s.heap[place] = member;
        rise(s, place);
        return;
    }
    if (rise(s, place) == place) sink(s, place);
}

static inline i64 minted_of(const pool_terms *p, const i64 *totals, i64 share, i64 *value) {
    *value = mul_div(share, p->mint_bp, BP);
    if (totals[SUPPLY] > 0) return mul_div(*value, totals[SUPPLY], totals[POOL_MICRO]);
    return mul_div(*value, totals[LAST_SUPPLY], totals[LAST_POOL]);
}

static inline int may_mint(const pool_terms *p, pool s, i64 consumer, i64 paid, i64 share) {
    i64 value, points = minted_of(p, s.totals, share, &value);
    if (points < 0 || s.totals[SUPPLY] + points > MICRO_MAX || s.totals[POOL_MICRO] + share > MICRO_MAX) return 0;
    return s.members[consumer][MEMBER_LIMIT] + paid * p->exit_bp <= MICRO_MAX;
}

static i64 mint(const pool_terms *p, pool s, i64 holder, i64 paid, i64 share, i64 order, out t, i64 n) {
    i64 value, points = minted_of(p, s.totals, share, &value), *row = s.members[holder];
    s.totals[POOL_MICRO] += share;
    s.totals[SUPPLY] += points;
    n = put(t, n, order, POINT_ISSUER, holder * POCKETS + POINTS, points, CODE_MINT);
    if (!row[MEMBER_NUMBER]) row[MEMBER_NUMBER] = ++s.totals[MEMBERS_USED], row[MEMBER_HOLDER] = holder;
    row[MEMBER_POINTS] += points;
    row[MEMBER_LIMIT] += paid * p->exit_bp;
    place_member(s, holder);
    return n;
}

/* Writes all exits that are due; 0 when `out` is full before the end. */
static int exits(const pool_terms *p, pool s, i64 *tally, i64 order, out t) {
    i64 n = t.count[WRITTEN], *totals = s.totals;
    while (totals[HEAP_USED]) {
        i64 member = s.heap[0], *row = s.members[member], points = row[MEMBER_POINTS], in_pool = totals[POOL_MICRO], supply = totals[SUPPLY];
        if (mul_less(points, in_pool, need_of(s, member), supply)) break;
        if (n + LINES_MAX > t.room) {
            t.count[WRITTEN] = n;
            return 0;
        }
        i64 cash = mul_div(mul_div(points, in_pool, supply), p->pays_bp, BP), wallet = row[MEMBER_HOLDER] * POCKETS + WALLET;
        if (points == supply) totals[LAST_POOL] = in_pool, totals[LAST_SUPPLY] = supply;
        totals[POOL_MICRO] = in_pool - cash;
        totals[SUPPLY] = supply - points;
        n = put(t, n, order, wallet - WALLET + POINTS, POINT_ISSUER, points, CODE_BURN);
        n = put(t, n, order, POOL, wallet, cash, CODE_EXIT);
        row[MEMBER_POINTS] = row[MEMBER_LIMIT] = row[MEMBER_OUT] = 0;
        place_member(s, member);
        row[CYCLE_FROM] = tally[ORDERS];
        if (totals[EXITS]++ == 0) totals[FIRST_EXIT] = tally[ORDERS];
        tally[RETURNED_MICRO] += cash;
    }
    t.count[WRITTEN] = n;
    return 1;
}

i64 pool_step(const plan *plan, const pool_terms *p, const holdings *h, const pool *state, const orders *o, i64 start, const out *to) {
    pool s = *state;
    out t = *to;
    i64 room = t.room - LINES_MAX, *tally = h->tally, exits_left = t.count[STOPPED] == EXITS_LEFT;
    memset(t.count, 0, 3 * sizeof(i64));
    if (exits_left && !exits(p, s, tally, start - 1, t)) {
        t.count[STOPPED] = EXITS_LEFT;
        return start;
    }
    for (i64 i = start; i < o->n; i++) {
        if (t.count[WRITTEN] > room) {
            t.count[STOPPED] = OUT_FULL;
            return i;
        }
        const int32_t *who = o->party + i * PARTIES;
        i64 paid = o->paid[i], consumer = who[CONSUMER], status = refusal(plan, h, o, i);
        if (status == SETTLED && !may_mint(p, s, consumer, paid, paid * o->bp[i])) status = LIMIT_REACHED;
        t.status[i] = (uint8_t)status;
        if (status != SETTLED) continue;

        i64 n = t.count[WRITTEN];
        into into = {0, 0, 0, 0};
        tally[ORDERS]++;
        tally[PAID_FEN] += paid;
        n = pay_shares(plan, paid, o->bp[i], who, -1, h->taken, i, t, n, &into);
        n = pay_bonus(plan, h->bonus_paid, who, i, t, n);
        t.count[WRITTEN] = mint(p, s, consumer, paid, into.pool, i, t, n);
        if (!exits(p, s, tally, i, t)) {
            t.count[STOPPED] = EXITS_LEFT;
            return i + 1;
        }
    }
    return o->n;
}

/* ---------------------------------------------------------------- release: the end of a period of moudian */

enum { HOLDER, LOT_POINTS, LOT_DONE, JOINED, AGE, FIRST, LAST, DUE, LOT_COLUMNS };
enum { PERIOD, OPENED_ON, INFLOW, LAST_INFLOW, WAITING, CLOSED_ON, DAY, DIVIDEND_MICRO, PROMISED, POINTS_OPEN, LOTS_USED };
typedef i64 point_lot[LOT_COLUMNS];

typedef struct {
    i64 rate_num, rate_den, days, extended, multiple_bp;
} release_terms;

typedef struct {
    i64 *clock, *inflow;
    point_lot *lots;
    i64 *lot_of;
} releases;

static inline i64 promise_of(const release_terms *p, i64 points) { return mul_div(points, p->multiple_bp, BP); }

static inline i64 outstanding(const release_terms *p, const i64 *lot) { return max(promise_of(p, lot[LOT_POINTS]) - lot[LOT_DONE], 0); }

static inline int has_ended(const release_terms *p, const i64 *lot) { return outstanding(p, lot) == 0 || lot[AGE] == p->extended; }

static void drop_ended(const release_terms *p, releases s) {
    i64 kept = 0, used = s.clock[LOTS_USED];
    for (i64 i = 0; i < used; i++) {
        i64 *lot = s.lots[i], holder = lot[HOLDER];
        int ended = lot[AGE] > 0 && has_ended(p, lot);
        if (s.lot_of[holder] == i) s.lot_of[holder] = ended ? -1 : kept;
        if (ended) continue;
        if (kept != i) memcpy(s.lots[kept], lot, sizeof(point_lot));
        kept++;
    }
    s.clock[LOTS_USED] = kept;
}

/* The period closes and is released; what was released. */
i64 release_period(const release_terms *p, const releases *state, i64 *vouchers, i64 *tally, const out *to) {
    releases s = *state;
    out t = *to;
    i64 *clock = s.clock, used = clock[LOTS_USED];
    if (clock[WAITING] < 0) {
        s.inflow[clock[PERIOD]] = clock[INFLOW];
        clock[WAITING] = clock[PERIOD]++;
        clock[CLOSED_ON] = clock[OPENED_ON] + p->days - 1;
        clock[LAST_INFLOW] = clock[INFLOW];
        clock[INFLOW] = 0;
        clock[OPENED_ON] += p->days;
    }
    i64 period = clock[WAITING], inflow = s.inflow[period], total = 0, held = clock[DIVIDEND_MICRO];
    for (i64 i = 0; i < used; i++) {
        i64 *lot = s.lots[i];
        if (lot[JOINED] > period) continue;
        i64 left = outstanding(p, lot), joined = s.inflow[lot[JOINED]];
        i64 due = joined ? mul_div(lot[LOT_POINTS] * p->rate_num, inflow, joined * p->rate_den) : 0;
        total += lot[DUE] = due < 0 ? left : min(due, left);
    }
    if (total > held) {
        i64 wanted = total;
        total = 0;
        for (i64 i = 0; i < used; i++)
            if (s.lots[i][JOINED] <= period) total += s.lots[i][DUE] = mul_div(s.lots[i][DUE], held, wanted);
    }
    i64 n = put(t, t.count[WRITTEN], -1, DIVIDEND, RESERVE, total, CODE_RELEASE);
    for (i64 i = 0; i < used; i++) {
        i64 *lot = s.lots[i], holder = lot[HOLDER];
        if (lot[JOINED] > period) continue;
        lot[LOT_DONE] += lot[DUE];
        lot[AGE]++;
        n = put(t, n, -1, VOUCHER_ISSUER, holder * POCKETS + VOUCHERS, lot[DUE], CODE_VOUCHER);
        vouchers[holder] += lot[DUE];
        if (has_ended(p, lot)) {
            i64 left = outstanding(p, lot);
            clock[PROMISED] -= left;
            clock[POINTS_OPEN] -= lot[LOT_POINTS];
            n = put(t, n, -1, holder * POCKETS + POINTS, POINT_ISSUER, lot[LOT_POINTS], left ? CODE_ZEROED : CODE_BURN);
        }
    }
    clock[DIVIDEND_MICRO] -= total;
    clock[PROMISED] -= total;
    tally[RETURNED_MICRO] += total;
    t.count[WRITTEN] = n;
    clock[WAITING] = -1;
    drop_ended(p, s);
    return total;
}
