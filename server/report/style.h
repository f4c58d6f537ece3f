/* server/report/style.h
 *
 * The style sheet of report.html. Series: s0 training, s1 validation; contenders c0 to c4 and verdicts v0 to v4 in the
 * order of their enums. Each pair of neighbours differs in lightness as well as in hue, so that the page can be read
 * in grey. */
#ifndef WM_SERVER_REPORT_STYLE_H
#define WM_SERVER_REPORT_STYLE_H

extern const char wm_report_style[];

#endif
