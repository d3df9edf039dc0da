// Pictures as SVG, for C99 and C++: line plots, matrices of numbers, grids of small images. Each function writes one file and
// returns 1, or 0 when that failed. Texts are UTF-8.
#ifndef EXAMPLES_SVG_H
#define EXAMPLES_SVG_H
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SVG_FONT "Inter, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif"
#define SVG_INK "#1f2933"
#define SVG_SOFT "#5f6b7a"
#define SVG_GRID "#e4e7eb"

// Colours that stay apart for colour-blind eyes and in grey.
static const char* svg_colour(size_t i) {
  static const char* const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4b5563"};
  return colours[i % 7];
}

// ---- pieces
static FILE* svg_begin(const char* path, double width, double height) {
  FILE* f = fopen(path, "w");
  if (!f) return NULL;
  fprintf(f,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" font-family=\"" SVG_FONT
          "\" font-size=\"13\" fill=\"" SVG_INK "\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
          width, height, width, height);
  return f;
}
static int svg_end(FILE* f) {
  fputs("</svg>\n", f);
  const int good = !ferror(f);
  return fclose(f) == 0 && good;
}

static void svg_escaped(FILE* f, const char* s) {
  for (; *s; ++s) {
    if (*s == '<') fputs("&lt;", f);
    else if (*s == '>') fputs("&gt;", f);
    else if (*s == '&') fputs("&amp;", f);
    else fputc(*s, f);
  }
}
// anchor: "start", "middle" or "end"; style: further attributes.
static void svg_text(FILE* f, double x, double y, const char* anchor, const char* style, const char* s) {
  fprintf(f, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" %s>", x, y, anchor, style);
  svg_escaped(f, s);
  fputs("</text>\n", f);
}
static void svg_line(FILE* f, double x1, double y1, double x2, double y2, const char* colour, double width) {
  fprintf(f, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" stroke-width=\"%g\"/>\n", x1, y1, x2, y2, colour, width);
}
static void svg_title(FILE* f, double x, const char* s) { svg_text(f, x, 30, "start", "font-size=\"17\" font-weight=\"600\"", s); }
static double svg_text_width(const char* s, double size) { return 0.56 * size * (double)strlen(s); }

// ---- axes
typedef struct svg_axis {
  double low, high;                                           // values at the ends
  double from, to;                                            // places of the ends
  double step;                                                // between ticks: 1, 2 or 5 times a power of ten
  int logarithmic;
} svg_axis;

static double svg_round_step(double range, int ticks) {
  const double raw = range / ticks, power = pow(10, floor(log10(raw))), lead = raw / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}
// An axis that holds [low, high]. With `whole`, its ends are ticks.
static svg_axis svg_make_axis(double low, double high, double from, double to, int ticks, int whole) {
  svg_axis a;
  if (!(high > low)) { high = low + (low ? 0.5 * fabs(low) : 0.5); low -= low ? 0.5 * fabs(low) : 0.5; }
  a.step = svg_round_step(high - low, ticks);
  a.low = whole ? a.step * floor(low / a.step + 1e-9) : low;
  a.high = whole ? a.step * ceil(high / a.step - 1e-9) : high;
  a.from = from;
  a.to = to;
  a.logarithmic = 0;
  return a;
}
static double svg_place(const svg_axis* a, double v) { return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from); }
static void svg_tick_text(char* to, size_t size, const svg_axis* a, double v) {
  const int decimals = a->step >= 1 ? 0 : (int)ceil(-log10(a->step) - 1e-9);
  if (a->logarithmic) snprintf(to, size, "%g", pow(10, v));
  else if (fabs(v) >= 1e6 || decimals > 5) snprintf(to, size, "%.3g", v);
  else snprintf(to, size, "%.*f", decimals, fabs(v) < a->step * 1e-6 ? 0.0 : v);
}

// ---- line plots
typedef struct svg_series {
  const char* name;                                           // for the legend; NULL for none
  const double *x, *y;                                        // NULL x: 0, 1, 2 …; points that are not finite are left out
  size_t count;
  int dashed, markers;
} svg_series;

typedef struct svg_plot {
  const char *title, *x_label, *y_label;
  const svg_series* series;
  size_t count;
  int logarithmic;                                            // the y axis; needs positive values
} svg_plot;

typedef struct svg_frame { double left, top, right, bottom; } svg_frame;

static double svg_x(const svg_series* s, size_t i) { return s->x ? s->x[i] : (double)i; }
static double svg_y(const svg_plot* p, const svg_series* s, size_t i) { return p->logarithmic ? log10(s->y[i]) : s->y[i]; }

static void svg_ranges(const svg_plot* p, double* x, double* y) {             // low and high of each
  x[0] = y[0] = HUGE_VAL;
  x[1] = y[1] = -HUGE_VAL;
  for (size_t k = 0; k < p->count; ++k) {
    for (size_t i = 0; i < p->series[k].count; ++i) {
      const double px = svg_x(&p->series[k], i), py = svg_y(p, &p->series[k], i);
      if (!isfinite(px) || !isfinite(py)) continue;
      x[0] = fmin(x[0], px), x[1] = fmax(x[1], px);
      y[0] = fmin(y[0], py), y[1] = fmax(y[1], py);
    }
  }
  if (x[0] > x[1]) x[0] = y[0] = 0, x[1] = y[1] = 1;
}

static void svg_draw_axes(FILE* f, const svg_plot* p, const svg_frame* b, const svg_axis* ax, const svg_axis* ay) {
  char text[32];
  for (double v = ay->step * ceil(ay->low / ay->step - 1e-9); v <= ay->high + 1e-9 * ay->step; v += ay->step) {
    const double y = svg_place(ay, v);
    svg_line(f, b->left, y, b->right, y, SVG_GRID, 1);
    svg_tick_text(text, sizeof text, ay, v);
    svg_text(f, b->left - 9, y + 4.5, "end", "fill=\"" SVG_SOFT "\"", text);
  }
  for (double v = ax->step * ceil(ax->low / ax->step - 1e-9); v <= ax->high + 1e-9 * ax->step; v += ax->step) {
    const double x = svg_place(ax, v);
    svg_line(f, x, b->bottom, x, b->bottom + 5, SVG_SOFT, 1);
    svg_tick_text(text, sizeof text, ax, v);
    svg_text(f, x, b->bottom + 20, "middle", "fill=\"" SVG_SOFT "\"", text);
  }
  svg_line(f, b->left, b->bottom, b->right, b->bottom, SVG_SOFT, 1);
  if (p->x_label) svg_text(f, (b->left + b->right) / 2, b->bottom + 42, "middle", "", p->x_label);
  if (p->y_label) {
    const double x = b->left - 52, y = (b->top + b->bottom) / 2;
    fprintf(f, "<g transform=\"rotate(-90 %.2f %.2f)\">", x, y);
    svg_text(f, x, y, "middle", "", p->y_label);
    fputs("</g>\n", f);
  }
}

static void svg_draw_series(FILE* f, const svg_plot* p, size_t k, const svg_axis* ax, const svg_axis* ay) {
  const svg_series* s = &p->series[k];
  int open = 0;
  for (size_t i = 0; i <= s->count; ++i) {
    const int good = i < s->count && isfinite(svg_x(s, i)) && isfinite(svg_y(p, s, i));
    if (good && !open)
      fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2.2\" stroke-linejoin=\"round\" stroke-linecap=\"round\"%s points=\"",
              svg_colour(k), s->dashed ? " stroke-dasharray=\"7 5\"" : "");
    if (good) fprintf(f, "%.2f,%.2f ", svg_place(ax, svg_x(s, i)), svg_place(ay, svg_y(p, s, i)));
    if (!good && open) fputs("\"/>\n", f);
    open = good;
  }
  for (size_t i = 0; s->markers && i < s->count; ++i)
    if (isfinite(svg_x(s, i)) && isfinite(svg_y(p, s, i)))
      fprintf(f, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"3.6\" fill=\"%s\" stroke=\"#ffffff\" stroke-width=\"1.2\"/>\n",
              svg_place(ax, svg_x(s, i)), svg_place(ay, svg_y(p, s, i)), svg_colour(k));
}

static void svg_draw_legend(FILE* f, const svg_plot* p, double x, double y) {
  for (size_t k = 0; k < p->count; ++k) {
    if (!p->series[k].name) continue;
    fprintf(f, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" stroke-width=\"3\" stroke-linecap=\"round\"%s/>\n", x, y - 4.5,
            x + 22, y - 4.5, svg_colour(k), p->series[k].dashed ? " stroke-dasharray=\"6 5\"" : "");
    svg_text(f, x + 30, y, "start", "", p->series[k].name);
    x += 30 + svg_text_width(p->series[k].name, 13) + 22;
  }
}

static void svg_draw_plot(FILE* f, const svg_plot* p, double x, double width, double height) {
  const svg_frame b = {x + 74, 74, x + width - 24, height - 58};
  double rx[2], ry[2];
  svg_ranges(p, rx, ry);
  const svg_axis ax = svg_make_axis(rx[0], rx[1], b.left, b.right, 6, 0);
  svg_axis ay = svg_make_axis(ry[0], ry[1], b.bottom, b.top, 5, 1);
  if (p->logarithmic) {
    ay.step = fmax(1, ceil((ry[1] - ry[0]) / 6));
    ay.low = floor(ry[0] + 1e-9), ay.high = fmax(ceil(ry[1] - 1e-9), ay.low + 1);
    ay.logarithmic = 1;
  }
  if (p->title) svg_title(f, b.left, p->title);
  svg_draw_legend(f, p, b.left, 54);
  svg_draw_axes(f, p, &b, &ax, &ay);
  for (size_t k = 0; k < p->count; ++k) svg_draw_series(f, p, k, &ax, &ay);
}

// Plots side by side.
static inline int svg_write_plots(const char* path, const svg_plot* plots, size_t count) {
  const double width = count > 1 ? 500 : 680, height = 400;
  FILE* f = svg_begin(path, width * (double)count, height);
  if (!f) return 0;
  for (size_t i = 0; i < count; ++i) svg_draw_plot(f, &plots[i], width * (double)i, width, height);
  return svg_end(f);
}

// ---- matrices
// White to a colour of the palette; `share` in [0, 1].
static void svg_shade(char* to, size_t size, const char* colour, double share) {
  unsigned rgb = 0;
  sscanf(colour + 1, "%x", &rgb);
  unsigned out = 0;
  for (int shift = 16; shift >= 0; shift -= 8) {
    const double c = (double)(rgb >> shift & 255);
    out |= (unsigned)lround(255 - share * (255 - c)) << shift;
  }
  snprintf(to, size, "#%06x", out);
}

typedef struct svg_matrix {
  const char *title, *row_label, *column_label;
  const double* values;                                       // row by row
  size_t rows, columns;
  const char* const* row_names;                               // NULL: numbered
  const char* const* column_names;
  int confusion;                                              // values off the diagonal are errors, in a colour of their own
} svg_matrix;

static void svg_draw_cell(FILE* f, const svg_matrix* m, size_t r, size_t c, double x, double y, double cell, const double* most) {
  const double v = m->values[r * m->columns + c];
  const int wrong = m->confusion && r != c;
  const double share = most[wrong] > 0 ? fmax(v, 0) / most[wrong] : 0;
  char colour[16], text[32], style[96];
  svg_shade(colour, sizeof colour, svg_colour((size_t)wrong), wrong ? 0.75 * share : 0.92 * share);
  fprintf(f, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" stroke=\"" SVG_GRID "\"/>\n", x, y, cell, cell, colour);
  if (v == 0 && m->confusion) return;
  snprintf(text, sizeof text, v == floor(v) ? "%.0f" : "%.2f", v);
  snprintf(style, sizeof style, "font-size=\"%g\" fill=\"%s\"", strlen(text) > 4 ? 11.0 : 13.0, share > (wrong ? 0.9 : 0.55) ? "#ffffff" : SVG_INK);
  svg_text(f, x + cell / 2, y + cell / 2 + 4.5, "middle", style, text);
}

static void svg_draw_names(FILE* f, const svg_matrix* m, double left, double top, double cell) {
  char number[24];
  for (size_t r = 0; r < m->rows; ++r) {
    snprintf(number, sizeof number, "%zu", r);
    svg_text(f, left - 10, top + cell * ((double)r + 0.5) + 4.5, "end", "fill=\"" SVG_SOFT "\"", m->row_names ? m->row_names[r] : number);
  }
  for (size_t c = 0; c < m->columns; ++c) {
    snprintf(number, sizeof number, "%zu", c);
    svg_text(f, left + cell * ((double)c + 0.5), top + cell * (double)m->rows + 20, "middle", "fill=\"" SVG_SOFT "\"",
             m->column_names ? m->column_names[c] : number);
  }
}

static inline int svg_write_matrix(const char* path, const svg_matrix* m) {
  const double cell = 44, top = 52;
  double names = 12;
  for (size_t r = 0; m->row_names && r < m->rows; ++r) names = fmax(names, svg_text_width(m->row_names[r], 13));
  const double left = 60 + names, width = left + cell * (double)m->columns + 28, height = top + cell * (double)m->rows + 62;
  FILE* f = svg_begin(path, fmax(width, m->title ? left + svg_text_width(m->title, 17) : 0), height);
  if (!f) return 0;
  double most[2] = {0, 0};
  for (size_t i = 0; i < m->rows * m->columns; ++i) {
    const int wrong = m->confusion && i / m->columns != i % m->columns;
    most[wrong] = fmax(most[wrong], m->values[i]);
  }
  if (m->title) svg_title(f, left, m->title);
  for (size_t r = 0; r < m->rows; ++r)
    for (size_t c = 0; c < m->columns; ++c) svg_draw_cell(f, m, r, c, left + cell * (double)c, top + cell * (double)r, cell, most);
  svg_draw_names(f, m, left, top, cell);
  if (m->column_label) svg_text(f, left + cell * (double)m->columns / 2, height - 18, "middle", "", m->column_label);
  if (m->row_label) {
    const double x = 30, y = top + cell * (double)m->rows / 2;
    fprintf(f, "<g transform=\"rotate(-90 %.2f %.2f)\">", x, y);
    svg_text(f, x, y, "middle", "", m->row_label);
    fputs("</g>\n", f);
  }
  return svg_end(f);
}

// ---- images
typedef struct svg_images {
  const char* title;
  const double* pixels;                                       // image by image, row by row; 0 is white, `ink` is black
  size_t count, height, width, columns;
  double ink;
  const char* const* captions;                                // under each; NULL for none
  const int* marked;                                          // captions in the colour of errors; NULL for none
} svg_images;

static void svg_draw_image(FILE* f, const svg_images* g, size_t i, double x, double y, double pixel) {
  const double* p = g->pixels + i * g->height * g->width;
  for (size_t r = 0; r < g->height; ++r) {
    for (size_t c = 0; c < g->width; ++c) {
      const double share = fmin(fmax(p[r * g->width + c] / g->ink, 0), 1);
      char colour[16];
      svg_shade(colour, sizeof colour, SVG_INK, share);
      if (share > 0)
        fprintf(f, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x + pixel * (double)c, y + pixel * (double)r,
                pixel, pixel, colour);
    }
  }
  fprintf(f, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"none\" stroke=\"#cbd2d9\"/>\n", x - 0.5, y - 0.5,
          pixel * (double)g->width + 1, pixel * (double)g->height + 1);
}

static inline int svg_write_images(const char* path, const svg_images* g) {
  const double pixel = fmax(1, floor(64 / (double)g->width)), image_w = pixel * (double)g->width, image_h = pixel * (double)g->height;
  const double step_x = image_w + 18, step_y = image_h + (g->captions ? 36 : 18), left = 28, top = g->title ? 54 : 28;
  const size_t columns = g->columns ? g->columns : 10, rows = (g->count + columns - 1) / columns;
  const double width = 2 * left + step_x * (double)columns - 18;
  FILE* f = svg_begin(path, fmax(width, g->title ? 2 * left + svg_text_width(g->title, 17) : 0), top + step_y * (double)rows + 10);
  if (!f) return 0;
  if (g->title) svg_title(f, left, g->title);
  for (size_t i = 0; i < g->count; ++i) {
    const double x = left + step_x * (double)(i % columns), y = top + step_y * (double)(i / columns);
    fputs("<g shape-rendering=\"crispEdges\">\n", f);
    svg_draw_image(f, g, i, x, y, pixel);
    fputs("</g>\n", f);
    if (!g->captions) continue;
    char style[64];
    snprintf(style, sizeof style, "fill=\"%s\"", g->marked && g->marked[i] ? svg_colour(1) : SVG_SOFT);
    svg_text(f, x + image_w / 2, y + image_h + 18, "middle", style, g->captions[i]);
  }
  return svg_end(f);
}

#endif
