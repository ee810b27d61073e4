/* list_heap_test.c - the intrusive list and the pairing heap. */
#include "engine_fixture.h"

struct list_of_three {
  struct rille_node head, a, b, c;
};

static void make_list(struct list_of_three *l) {
  rille_list_init(&l->head);
  rille_list_append(&l->head, &l->a);
  rille_list_append(&l->head, &l->b);
  rille_list_append(&l->head, &l->c);
}

static void a_list_starts_empty(void **state) {
  struct rille_node list;
  (void)state;
  rille_list_init(&list);
  assert_true(rille_list_empty(&list));
  assert_null(rille_list_first(&list));
  assert_null(rille_list_take(&list));
}

static void nodes_are_taken_in_order(void **state) {
  struct list_of_three l;
  (void)state;
  make_list(&l);
  assert_ptr_equal(&l.a, rille_list_take(&l.head));
  assert_ptr_equal(&l.b, rille_list_take(&l.head));
  assert_ptr_equal(&l.c, rille_list_take(&l.head));
  assert_true(rille_list_empty(&l.head));
}

static void first_leaves_the_node_linked(void **state) {
  struct list_of_three l;
  (void)state;
  make_list(&l);
  assert_ptr_equal(&l.a, rille_list_first(&l.head));
  assert_true(rille_list_linked(&l.a));
}

static void unlink_takes_a_node_from_the_middle(void **state) {
  struct list_of_three l;
  (void)state;
  make_list(&l);
  rille_list_unlink(&l.b);
  assert_false(rille_list_linked(&l.b));
  assert_ptr_equal(&l.c, l.a.next);
  assert_ptr_equal(&l.a, l.c.prev);
}

static void unlink_may_be_done_twice(void **state) {
  struct list_of_three l;
  (void)state;
  make_list(&l);
  rille_list_unlink(&l.b);
  rille_list_unlink(&l.b);
  assert_ptr_equal(&l.a, rille_list_take(&l.head));
  assert_ptr_equal(&l.c, rille_list_take(&l.head));
}

static void move_takes_all_nodes_along(void **state) {
  struct list_of_three l;
  struct rille_node to;
  (void)state;
  make_list(&l);
  rille_list_move(&l.head, &to);
  assert_true(rille_list_empty(&l.head));
  assert_ptr_equal(&l.a, rille_list_take(&to));
  assert_ptr_equal(&l.b, rille_list_take(&to));
  assert_ptr_equal(&l.c, rille_list_take(&to));
  assert_true(rille_list_empty(&to));
}

static void move_of_an_empty_list_makes_an_empty_list(void **state) {
  struct rille_node from, to;
  (void)state;
  rille_list_init(&from);
  rille_list_move(&from, &to);
  assert_true(rille_list_empty(&to));
  assert_true(rille_list_empty(&from));
}

struct item {
  struct rille_heap_node node;
  uint32_t key;
  uint32_t order;
  bool in_heap;
};

static struct item *item_of(const struct rille_heap_node *node) {
  return RILLE_ENTRY(node, struct item, node);
}

static bool item_before(const struct rille_heap_node *a,
                        const struct rille_heap_node *b) {
  const struct item *x = item_of(a), *y = item_of(b);
  return x->key != y->key ? x->key < y->key : x->order < y->order;
}

static void insert_keys(struct rille_heap *heap, struct item *items,
                        const uint32_t *keys, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    items[i] = (struct item){.key = keys[i], .order = i};
    rille_heap_insert(heap, &items[i].node, item_before);
  }
}

static uint32_t take_key(struct rille_heap *heap) {
  struct item *least = item_of(heap->root);
  rille_heap_remove(heap, &least->node, item_before);
  return least->key;
}

static void the_least_comes_first(void **state) {
  struct rille_heap heap = {NULL};
  struct item items[5];
  (void)state;
  insert_keys(&heap, items, (uint32_t[]){3, 1, 4, 0, 2}, 5);
  for (uint32_t key = 0; key < 5; key++)
    assert_int_equal(key, take_key(&heap));
  assert_null(heap.root);
}

static void equal_keys_come_in_order_of_insertion(void **state) {
  struct rille_heap heap = {NULL};
  struct item items[6];
  (void)state;
  insert_keys(&heap, items, (uint32_t[]){7, 7, 7, 7, 7, 7}, 6);
  for (uint32_t i = 0; i < 6; i++) {
    assert_ptr_equal(&items[i].node, heap.root);
    take_key(&heap);
  }
}

/* Each of the nodes in turn: the root, a first child, a sibling, a leaf. */
static void any_node_can_be_removed(void **state) {
  (void)state;
  for (uint32_t victim = 0; victim < 6; victim++) {
    struct rille_heap heap = {NULL};
    struct item items[6];
    insert_keys(&heap, items, (uint32_t[]){0, 1, 2, 3, 4, 5}, 6);
    take_key(&heap);
    insert_keys(&heap, items, (uint32_t[]){0}, 1);
    rille_heap_remove(&heap, &items[victim].node, item_before);
    for (uint32_t key = 0; key < 6; key++)
      if (key != victim)
        assert_int_equal(key, take_key(&heap));
    assert_null(heap.root);
  }
}

static void a_removed_node_may_be_inserted_again(void **state) {
  struct rille_heap heap = {NULL};
  struct item items[3];
  (void)state;
  insert_keys(&heap, items, (uint32_t[]){1, 2, 3}, 3);
  rille_heap_remove(&heap, &items[1].node, item_before);
  items[1].key = 9;
  rille_heap_insert(&heap, &items[1].node, item_before);
  assert_int_equal(1, take_key(&heap));
  assert_int_equal(3, take_key(&heap));
  assert_int_equal(9, take_key(&heap));
}

#define ITEMS 200

/* The model: the same items in an array, sorted. */
struct sorted {
  struct item *items[ITEMS];
  uint32_t count;
};

static void model_insert(struct sorted *model, struct item *item) {
  uint32_t i = model->count++;
  for (; i > 0 && item_before(&item->node, &model->items[i - 1]->node); i--)
    model->items[i] = model->items[i - 1];
  model->items[i] = item;
}

static void model_remove(struct sorted *model, const struct item *item) {
  uint32_t i = 0;
  while (model->items[i] != item)
    i++;
  for (model->count--; i < model->count; i++)
    model->items[i] = model->items[i + 1];
}

static void toggle(struct rille_heap *heap, struct sorted *model,
                   struct item *item, uint32_t key, uint32_t order) {
  if (item->in_heap) {
    rille_heap_remove(heap, &item->node, item_before);
    model_remove(model, item);
  } else {
    item->key = key;
    item->order = order;
    rille_heap_insert(heap, &item->node, item_before);
    model_insert(model, item);
  }
  item->in_heap = !item->in_heap;
}

static void a_random_run_agrees_with_a_sorted_array(void **state) {
  struct fixture *f = *state;
  struct rille_heap heap = {NULL};
  struct sorted model = {.count = 0};
  static struct item items[ITEMS];
  memset(items, 0, sizeof items);
  seed_engine(f);
  for (uint32_t step = 0; step < 100000; step++) {
    struct item *item = &items[rille_random(&f->engine, ITEMS)];
    if (heap.root != NULL && rille_random(&f->engine, 3) == 0)
      item = item_of(heap.root);
    toggle(&heap, &model, item, rille_random(&f->engine, 50), step);
    assert_ptr_equal(model.count > 0 ? &model.items[0]->node : NULL, heap.root);
  }
  for (uint32_t i = 0; i < model.count; i++) {
    assert_ptr_equal(&model.items[i]->node, heap.root);
    take_key(&heap);
  }
  assert_null(heap.root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_list_starts_empty),
      cmocka_unit_test(nodes_are_taken_in_order),
      cmocka_unit_test(first_leaves_the_node_linked),
      cmocka_unit_test(unlink_takes_a_node_from_the_middle),
      cmocka_unit_test(unlink_may_be_done_twice),
      cmocka_unit_test(move_takes_all_nodes_along),
      cmocka_unit_test(move_of_an_empty_list_makes_an_empty_list),
      cmocka_unit_test(the_least_comes_first),
      cmocka_unit_test(equal_keys_come_in_order_of_insertion),
      cmocka_unit_test(any_node_can_be_removed),
      cmocka_unit_test(a_removed_node_may_be_inserted_again),
      ENGINE_TEST(a_random_run_agrees_with_a_sorted_array),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
