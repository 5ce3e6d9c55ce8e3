/* The pool workload of bench.lab once more in C: equal orders of many cases, their members a queue of runs as in rangli.lab.pools.
   The arithmetic is that of reference.c. */
#include "reference.c"

enum { PAID, PAID_MAX, SEED, SHARE, MINT, PAYS, PRICE_NUM, PRICE_DEN, EXIT_AT, BASIS, CASE_COLUMNS };
enum { RETURNED = FIRST_EXIT + 1, END_COLUMNS };

static void one_case(const i64 *of, i64 orders, i64 (*queue)[2], i64 *end) {
    i64 in_pool = 0, supply = 0, last_pool = of[PRICE_NUM], last_supply = of[PRICE_DEN], exits = 0, first_exit = 0, returned = 0;
    i64 share = of[PAID] * of[SHARE], value = mul_div(share, of[MINT], BP);
    i64 limit = of[BASIS] ? mul_div(value, of[EXIT_AT], BP) : of[PAID] * of[EXIT_AT];
    i64 head = 0, tail = -1, newest = -1, waiting = 0, not_below = 0;
    for (i64 order = 1; order <= orders; order++) {
        i64 points = supply ? mul_div(value, supply, in_pool) : mul_div(value, last_supply, last_pool);
        in_pool += share;
        supply += points;
        if (!of[EXIT_AT]) continue;
        if (points) {
            if (head > tail) head = 0, tail = newest = -1;
            if (points != newest) newest = points, tail++, queue[tail][0] = points, queue[tail][1] = 0;
            queue[tail][1]++;
            waiting++;
        }
        while (in_pool >= not_below && head <= tail) {
            if (mul_less(queue[head][0], in_pool, limit, supply)) {
                if ((not_below = mul_div(limit, supply, queue[head][0])) < 0) not_below = INT64_MAX;
                break;
            }
            i64 leaves = queue[head][0], cash = mul_div(mul_div(leaves, in_pool, supply), of[PAYS], BP);
            if (leaves == supply) last_pool = in_pool, last_supply = supply;
            in_pool -= cash, supply -= leaves, not_below = 0;
            returned += cash;
            if (exits++ == 0) first_exit = order;
            waiting--;
            if (--queue[head][1] == 0) head++;
        }
    }
    end[POOL_MICRO] = in_pool, end[SUPPLY] = supply, end[LAST_POOL] = last_pool, end[LAST_SUPPLY] = last_supply;
    end[HEAP_USED] = waiting, end[MEMBERS_USED] = orders, end[EXITS] = exits, end[FIRST_EXIT] = first_exit, end[RETURNED] = returned;
}

void equal_orders(const i64 *cases, i64 runs, i64 orders, i64 *queue, i64 *ends) {
    for (i64 run = 0; run < runs; run++)
        one_case(cases + run * CASE_COLUMNS, orders, (i64(*)[2])queue, ends + run * END_COLUMNS);
}
