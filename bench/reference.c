/* The kernels' work once more in C, to measure against: same inputs, same layout of what is written, same checksum.
   Compiled by the benchmark with the machine's cc -O3 -march=native; it is never part of the product. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t i64;
typedef uint64_t u64;
typedef unsigned __int128 u128;

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

/* SipHash-2-4 of n strings of an Arrow array. */
i64 siphash_run(i64 n, const int32_t *offsets, const uint8_t *data, u64 k0, u64 k1) {
    u64 sum = 0;
    for (i64 s = 0; s < n; s++) {
        const uint8_t *p = data + offsets[s];
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
        sum = sum * 31 + (v0 ^ v1 ^ v2 ^ v3);
    }
    return (i64)sum;
}

/* ---------------------------------------------------------------- shares and packets */

enum { CONSUMER, MERCHANT, PARTIES = 9, PACKETS = 9, POOL, DIVIDEND, PLATFORM, FUND };
enum { PARTY, OTHERWISE, CODE, CONSTANT, SLOPE, LOW, HIGH, DEN, LESS, AS_VOUCHERS, COLUMNS };

typedef struct {
    int32_t *order, *source, *destination;
    i64 *amount;
    int8_t *code;
} transfers;

static inline i64 put(transfers t, i64 n, i64 order, i64 source, i64 destination, i64 amount, i64 code) {
    if (!amount) return n;
    t.order[n] = (int32_t)order;
    t.source[n] = (int32_t)source;
    t.destination[n] = (int32_t)destination;
    t.amount[n] = amount;
    t.code[n] = (int8_t)code;
    return n + 1;
}

static inline i64 linear(const i64 *line, i64 paid, i64 bp) {
    i64 c = bp < line[LOW] ? line[LOW] : bp > line[HIGH] ? line[HIGH] : bp;
    i64 rate = line[CONSTANT] + line[SLOPE] * c;
    return line[DEN] == 1 ? paid * rate : (i64)((u64)(paid * rate) / (u64)line[DEN]);
}

/* Shares with parties, `else` platform only (what the benchmark's plan has). */
static i64 pay_shares(const i64 *shares, i64 count, i64 paid, i64 bp, const int32_t *holders, i64 pot_account, i64 order, transfers t, i64 n,
                      i64 *into_pot) {
    i64 source = (i64)holders[MERCHANT] * 8 + 3, left = paid * bp;
    for (i64 i = 0; i < count; i++) {
        const i64 *line = shares + i * COLUMNS;
        i64 amount = linear(line, paid, bp), party = line[PARTY];
        if (party == PLATFORM || (party < PARTIES && holders[party] < 0)) continue;
        i64 to = party < PARTIES ? (i64)holders[party] * 8 + (party == MERCHANT ? 4 : 0) : party == PACKETS ? pot_account : party == POOL ? 16 : 24;
        n = put(t, n, order, source, to, amount, line[CODE]);
        left -= amount;
        if (party == PACKETS) *into_pot += amount;
    }
    return put(t, n, order, source, 0, left, 0);
}

static inline u64 checksum(u64 sum, transfers t, i64 n) {
    for (i64 k = 0; k < n; k++)
        sum = sum * 31 + ((u64)t.amount[k] ^ (u64)t.source[k] << 40 ^ (u64)t.destination[k] << 20 ^ (u64)t.code[k] ^ (u64)t.order[k] << 8);
    return sum;
}

/* The share lines of every order, written to room for `room` transfers again and again. */
i64 shares_run(i64 n, const i64 *shares, i64 count, const i64 *paid, const i64 *bp, const int32_t *party, i64 pot_account, i64 room,
               int32_t *order, int32_t *source, int32_t *destination, i64 *amount, int8_t *code) {
    transfers t = {order, source, destination, amount, code};
    i64 written = 0, total = 0, into_pot = 0;
    for (i64 i = 0; i < n; i++) {
        if (written > room - 64) total += written, written = 0;
        written = pay_shares(shares, count, paid[i], bp[i], party + i * PARTIES, pot_account, i, t, written, &into_pot);
    }
    return (i64)checksum((u64)(total + written) + (u64)into_pot, t, written);
}

typedef struct {
    i64 start, room, head, open, pot, account;
} queue;

/* Weituanbao with all its transfers: shares, the platform, a bonus once a merchant, and the packets. Queues of 64 lots at most. */
i64 packets_run(i64 n, const i64 *shares, i64 count, const i64 *paid, const i64 *bp, const int32_t *party, const i64 *key, i64 holders,
                const i64 *bounds, i64 tiers, i64 per_order, i64 exit_packets, i64 first_merchant, i64 merchants, i64 bonus, i64 room,
                int32_t *order, int32_t *source, int32_t *destination, i64 *amount, int8_t *code) {
    transfers t = {order, source, destination, amount, code};
    enum { BLOCK = 64 };
    i64 queues = merchants * tiers;
    queue *rows = calloc((size_t)queues, sizeof *rows);
    i64 *wallet = calloc((size_t)(queues * BLOCK * 5), sizeof *wallet);
    i64 *full = wallet + queues * BLOCK, *rooms = full + queues * BLOCK, *lefts = rooms + queues * BLOCK, *number = lefts + queues * BLOCK;
    uint8_t *paid_bonus = calloc((size_t)holders, 1);
    i64 *closed = malloc(sizeof *closed * 4 * (size_t)room);
    for (i64 q = 0; q < queues; q++) rows[q] = (queue){q * BLOCK, BLOCK, 0, 0, 0, (holders + q) * 8};
    i64 points[128], cuts[128], places[128], written = 0, total = 0, shut = 0;
    for (i64 i = 0; i < n; i++) {
        if (written > room - 256 || shut > room - 256) total += written, written = 0, shut = 0;
        const int32_t *who = party + i * PARTIES;
        i64 tier = 0;
        while (tier < tiers - 1 && paid[i] > bounds[tier]) tier++;
        queue *q = rows + ((i64)who[MERCHANT] - first_merchant) * tiers + tier;
        if (q->head + q->open == q->room) {
            if (!q->head) abort();
            i64 *columns[5] = {wallet, full, rooms, lefts, number};
            for (int c = 0; c < 5; c++) memmove(columns[c] + q->start, columns[c] + q->start + q->head, sizeof(i64) * (size_t)q->open);
            q->head = 0;
        }
        i64 into_pot = 0;
        written = pay_shares(shares, count, paid[i], bp[i], who, q->account, i, t, written, &into_pot);
        if (bonus && who[4] >= 0 && !paid_bonus[who[MERCHANT]]) {
            paid_bonus[who[MERCHANT]] = 1;
            written = put(t, written, i, 0, (i64)who[4] * 8, bonus, 16);
        }
        q->pot += into_pot;
        i64 first = q->start + q->head, window = q->open < per_order ? q->open : per_order;
        for (i64 k = 0; k < window; k++) places[k] = first + k;
        i64 issue = (i64)((u64)((u64)(q->pot * window) / (u64)per_order) / 10000u);
        if (issue > 0) {
            if (issue < window) window = issue;
            cut_points((u64)key[i], issue, window - 1, points, cuts);
            cuts[window - 1] = issue;
            i64 before = 0, cut_off = 0, n0 = written;
            for (i64 k = 0; k < window; k++) {
                i64 at = places[k], part = cuts[k] - before, gives = part < rooms[at] ? part : rooms[at];
                before = cuts[k];
                cut_off += part - gives;
                rooms[at] -= gives;
                lefts[at]--;
                written = put(t, written, i, q->account, wallet[at], gives * 10000, 15);
            }
            if (cut_off)
                for (i64 k = 0; k < window; k++) {
                    i64 at = places[k], more = cut_off < rooms[at] ? cut_off : rooms[at];
                    rooms[at] -= more;
                    amount[n0 + k] += more * 10000;
                    cut_off -= more;
                }
            q->pot -= (issue - cut_off) * 10000;
            i64 gone = 0, last = -1;
            for (i64 k = 0; k < window; k++)
                if (!lefts[first + k] || !rooms[first + k]) {
                    i64 *row = closed + 4 * shut++;
                    row[0] = number[first + k], row[1] = full[first + k], row[2] = exit_packets - lefts[first + k], row[3] = full[first + k] - rooms[first + k];
                    gone++, last = k;
                }
            if (last >= gone) {
                i64 gap = 0;
                for (i64 k = last; k >= 0; k--) {
                    i64 at = first + k;
                    if (!lefts[at] || !rooms[at]) gap++;
                    else wallet[at + gap] = wallet[at], full[at + gap] = full[at], rooms[at + gap] = rooms[at], lefts[at + gap] = lefts[at], number[at + gap] = number[at];
                }
            }
            q->head += gone;
            q->open -= gone;
        }
        i64 at = q->start + q->head + q->open++;
        wallet[at] = (i64)who[CONSUMER] * 8, full[at] = paid[i], rooms[at] = paid[i], lefts[at] = exit_packets, number[at] = i;
    }
    u64 sum = checksum((u64)(total + written), t, written);
    free(rows), free(wallet), free(paid_bonus), free(closed);
    return (i64)sum;
}
